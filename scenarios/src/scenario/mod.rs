//! The scenarios. Each is a function of a [`World`](crate::world::World), listed in [`crate::table`].

pub mod classic;
pub mod dialogue;
pub mod home_assistant;
pub mod kept;
pub mod once;
pub mod outages;
pub mod settings;
pub mod structured;
pub mod version5;
pub mod wrong_input;
