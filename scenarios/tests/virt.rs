//! Every scenario, on the virtual microcontroller in QEMU.

use monster_scenarios::table::scenario;
use monster_scenarios::virt::Virt;

macro_rules! tests {
    ($($file:ident: $($name:ident),+;)+) => {
        $(mod $file {
            $(#[test]
            fn $name() {
                super::scenario(stringify!($name)).run(&super::Virt);
            })+
        })+
    };
}

monster_scenarios::for_each_scenario!(tests);
