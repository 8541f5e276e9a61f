//! Every scenario, on the desk.

use monster_scenarios::desk::Desk;
use monster_scenarios::table::scenario;

macro_rules! tests {
    ($($file:ident: $($name:ident),+;)+) => {
        $(mod $file {
            $(#[test]
            fn $name() {
                super::scenario(stringify!($name)).run(&super::Desk);
            })+
        })+
    };
}

monster_scenarios::for_each_scenario!(tests);
