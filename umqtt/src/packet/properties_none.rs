//! Properties in a build without MQTT 5: there are none.

use core::convert::Infallible;
use core::marker::PhantomData;

/// A property of MQTT 5. This build is without the feature `v5`: there is none to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property<'a>(Infallible, PhantomData<&'a ()>);

/// The properties of a packet that was received. This build is without the feature `v5`: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a>(PhantomData<&'a ()>);

impl<'a> Properties<'a> {
    /// No properties.
    pub const NONE: Properties<'static> = Properties(PhantomData);

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        true
    }

    /// No property at all.
    pub fn iter(&self) -> impl Iterator<Item = Property<'a>> + Clone + use<'a> {
        core::iter::empty()
    }
}

/// The packets there are: all the same, without properties.
#[derive(Clone, Copy)]
pub(crate) struct Carrier;

impl Carrier {
    pub const CONNECT: Carrier = Carrier;
    pub const WILL: Carrier = Carrier;
    pub const PUBLISH: Carrier = Carrier;
    pub const SUBSCRIBE: Carrier = Carrier;
    pub const UNSUBSCRIBE: Carrier = Carrier;
}

/// What packets of the server have told by their properties: nothing.
pub(crate) struct Told;

impl Told {
    pub const fn new() -> Self {
        Told
    }
}

/// Properties to be sent. This build is without the feature `v5`: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PropertyList<'a>(PhantomData<&'a ()>);

impl<'a> PropertyList<'a> {
    /// No properties.
    pub const NONE: PropertyList<'static> = PropertyList(PhantomData);

    /// These properties: none.
    pub const fn new(_: &'a [Property<'a>]) -> Self {
        PropertyList::NONE
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        true
    }

    /// No property at all.
    pub const fn as_slice(&self) -> &'a [Property<'a>] {
        &[]
    }

    pub(crate) fn write(
        &self,
        _: &[u8],
        _: Carrier,
        _: &mut super::Writer<'_>,
        _: &mut Told,
    ) -> Option<()> {
        Some(())
    }
}

impl<'a> From<&'a [Property<'a>]> for PropertyList<'a> {
    fn from(list: &'a [Property<'a>]) -> Self {
        PropertyList::new(list)
    }
}
