//! Which files and sockets the rules mean, as the kernel side reads it: patterns and sets of ports stand in
//! tables of their own, each rule's at its place, which it keeps while the plan changes.

use std::collections::{BTreeMap, BTreeSet};

use injector_common::{
    MAX_RULES,
    glob::Glob,
    object::{ObjectMatch, Ports, SocketMatch},
};

use crate::{
    plan::packets,
    spec::{model::RuleKind, object::Objects as Chosen},
};

/// Places in each table: a change fills those that no rule of the old plan has.
#[expect(clippy::cast_possible_truncation, reason = "a small number")]
pub const PLACES: u32 = 2 * MAX_RULES as u32;

/// What the rules of a plan ask of files and sockets, by their numbers.
#[derive(Clone, Debug, Default)]
pub struct Objects(BTreeMap<u32, Placed>);

#[derive(Clone, Debug)]
struct Placed {
    place: u32,
    wanted: ObjectMatch,
    glob: Option<Box<Glob>>,
    ports: Option<Box<Ports>>,
}

impl Objects {
    /// Those of `rules`, numbered. Rules that were in the plan `before` keep their places.
    pub(super) fn of<'a>(
        rules: impl IntoIterator<Item = (u32, &'a RuleKind)>,
        before: Option<&Self>,
    ) -> Self {
        let old = |number| before.and_then(|before| before.0.get(&number));
        let mut taken: BTreeSet<u32> =
            before.into_iter().flat_map(|before| before.0.values()).map(|placed| placed.place).collect();
        let mut all = BTreeMap::new();
        for (number, kind) in rules {
            let Some(chosen) = chosen(kind).filter(|chosen| chosen.chosen()) else { continue };
            let placed = old(number).cloned().unwrap_or_else(|| {
                let place = (0..PLACES).find(|place| !taken.contains(place)).unwrap_or(0);
                Placed::at(place, chosen)
            });
            taken.insert(placed.place);
            all.insert(number, placed);
        }
        Self(all)
    }

    /// What the rule with this number asks.
    pub(super) fn wanted(&self, number: u32) -> ObjectMatch {
        self.0.get(&number).map(|placed| placed.wanted).unwrap_or_default()
    }

    /// The patterns with their places.
    pub fn globs(&self) -> impl Iterator<Item = (u32, &Glob)> {
        self.0.values().filter_map(|placed| Some((placed.place, placed.glob.as_deref()?)))
    }

    /// The sets of ports with their places.
    pub fn ports(&self) -> impl Iterator<Item = (u32, &Ports)> {
        self.0.values().filter_map(|placed| Some((placed.place, placed.ports.as_deref()?)))
    }
}

impl Placed {
    fn at(place: u32, chosen: &Chosen) -> Self {
        let glob = chosen.paths.as_ref().map(|paths| Box::new(*paths.glob()));
        let ports = (!chosen.ports.is_empty()).then(|| Box::new(Ports::of(&chosen.ports)));
        let number = |there: bool| if there { place + 1 } else { 0 };
        let wanted = ObjectMatch {
            glob: number(glob.is_some()),
            ports: number(ports.is_some()),
            sockets: sockets(chosen),
        };
        Self { place, wanted, glob, ports }
    }
}

/// What a rule asks of files and sockets; `None` for rules on packets and on processes.
pub(crate) fn chosen(kind: &RuleKind) -> Option<&Chosen> {
    match kind {
        RuleKind::Syscall(rule) => Some(&rule.filter.objects),
        RuleKind::Operation(rule) => Some(&rule.objects),
        RuleKind::Net(_) | RuleKind::UserSpace(_) => None,
    }
}

/// Which sockets.
fn sockets(chosen: &Chosen) -> SocketMatch {
    let mut out = SocketMatch::default();
    if let Some(net) = chosen.peer {
        out.peer = packets::prefix(net);
        out.needs_peer = 1;
        out.family = if net.addr().is_ipv4() { 4 } else { 6 };
    }
    out
}
