//! Names with their stars as elements of the two tries: for user space.

use std::collections::{BTreeMap, BTreeSet};

use bytemuck::Zeroable;

use super::{End, LETTERS, NameKey};

/// Patterns with something in front of their `*` that one rule can have: one for each bit but the first.
pub const FRONTS: usize = 63;

/// The bit of patterns with nothing in front of a `*`, and of names without one.
const BY_TAIL: u64 = 1;

/// What is behind a name.
const END: u8 = 0;

/// Bits by text.
type Trie = BTreeMap<Vec<u8>, u64>;

/// Are there more of those patterns than [`FRONTS`]?
#[must_use]
pub fn too_many_fronts<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    let fronts: BTreeSet<_> =
        names.into_iter().filter(|name| name.find('*').is_some_and(|at| at > 0)).collect();
    fronts.len() > FRONTS
}

/// The elements that say which names the rule with this number means: those of `names`, in small letters, with one
/// `*` at most in each; all if there are none.
#[must_use]
pub fn elements(rule: u32, names: &[String]) -> Vec<(NameKey, u64)> {
    let (mut heads, mut tails) = (Trie::new(), Trie::new());
    let mut not: Trie = Trie::new();
    heads.insert(Vec::new(), BY_TAIL);
    if names.is_empty() {
        tails.insert(Vec::new(), BY_TAIL);
    }
    let mut bit = BY_TAIL;
    for name in names.iter().collect::<BTreeSet<_>>() {
        let Some((front, back)) = name.split_once('*') else {
            let mut whole = backwards(name);
            whole.push(END);
            *tails.entry(whole).or_default() |= BY_TAIL;
            continue;
        };
        if front.is_empty() {
            *tails.entry(backwards(back)).or_default() |= BY_TAIL;
            continue;
        }
        bit <<= 1;
        *heads.entry(front.into()).or_default() |= bit;
        *tails.entry(backwards(back)).or_default() |= bit;
        for short in overlaps(front.as_bytes(), back.as_bytes()) {
            *not.entry(short).or_default() |= bit;
        }
    }
    for name in not.keys() {
        heads.entry(name.clone()).or_default();
    }
    let heads = with_shorter(&heads).map(|(text, bits)| {
        let without = not.get(text).copied().unwrap_or_default();
        (key(rule, End::Head, text), bits & !without)
    });
    heads.chain(with_shorter(&tails).map(|(text, bits)| (key(rule, End::Tail, text), bits))).collect()
}

/// The names that begin with `front` and end with `back` and are too short for both, with what is behind them.
fn overlaps(front: &[u8], back: &[u8]) -> Vec<Vec<u8>> {
    let shared = (1..=front.len().min(back.len())).filter(|&shared| front.ends_with(&back[..shared]));
    shared.map(|shared| [front, &back[shared..], &[END]].concat()).collect()
}

/// Each text with its bits and those of all that it begins with.
fn with_shorter(trie: &Trie) -> impl Iterator<Item = (&Vec<u8>, u64)> {
    trie.keys().map(|text| {
        let shorter = (0..=text.len()).filter_map(|length| trie.get(&text[..length]));
        (text, shorter.fold(0, |all, bits| all | bits))
    })
}

fn backwards(text: &str) -> Vec<u8> {
    text.bytes().rev().collect()
}

fn key(rule: u32, end: End, text: &[u8]) -> NameKey {
    let mut key = NameKey { set: NameKey::set(rule, end), ..NameKey::zeroed() };
    // With a name that is longer than any, this is what no name begins with.
    let length = text.len().min(LETTERS + 1);
    key.text[..length].copy_from_slice(&text[..length]);
    key.bits = NameKey::bits(u32::try_from(length).unwrap_or_default());
    key
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{super::meant, *};

    /// The trie, told again: the bits of the longest element that a name begins with.
    fn look_up(elements: &[(NameKey, u64)], set: u16, text: &[u8]) -> u64 {
        let begins = |key: &NameKey| {
            let length = (key.bits as usize - 16) / 8;
            key.set == set && text.len() >= length && key.text[..length] == text[..length]
        };
        let longest = elements.iter().filter(|(key, _)| begins(key)).max_by_key(|(key, _)| key.bits);
        longest.map_or(0, |&(_, bits)| bits)
    }

    fn means(elements: &[(NameKey, u64)], rule: u32, name: &str) -> bool {
        let (mut head, mut tail) = (Vec::from(name), backwards(name));
        head.push(END);
        tail.push(END);
        meant(
            look_up(elements, NameKey::set(rule, End::Head), &head),
            look_up(elements, NameKey::set(rule, End::Tail), &tail),
        )
    }

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn names_as_people_mean_them() {
        for (pattern, name, expected) in [
            ("*.example.com", "www.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "www.example.com.evil.org", false),
            ("*example.com", "example.com", true),
            ("example.com", "example.com", true),
            ("example.com", "www.example.com", false),
            ("example.com", "example.comm", false),
            ("example.com", "example.co", false),
            ("redis*", "redis.prod.svc.cluster.local", true),
            ("redis*", "xredis", false),
            ("db-*.internal", "db-1.internal", true),
            ("db-*.internal", "db-.internal", true),
            ("db-*.internal", "db.internal", false),
            ("aba*ba", "aba", false),
            ("aba*ba", "ababa", true),
            ("*", "anything.at.all", true),
            ("*", "", true),
        ] {
            assert_eq!(means(&elements(5, &names(&[pattern])), 5, name), expected, "{pattern} {name}");
        }
        let all = elements(5, &[]);
        assert!(means(&all, 5, "a.b") && means(&all, 5, "") && !means(&all, 6, "a.b"));
    }

    #[test]
    fn as_many_patterns_as_there_are_bits() {
        let mut list: Vec<_> = (0..FRONTS).map(|n| format!("n{n:02}*.x")).collect();
        list.extend((0..500).map(|n| format!("m{n}.y")));
        assert!(!too_many_fronts(list.iter().map(String::as_str)));
        let elements = elements(1, &list);
        assert!(means(&elements, 1, "n62.x") && means(&elements, 1, "m499.y"));
        assert!(!means(&elements, 1, "n63.x") && !means(&elements, 1, "n62.y"));
        list.push("n*".into());
        assert!(too_many_fronts(list.iter().map(String::as_str)));
    }

    fn model(patterns: &[String], name: &str) -> bool {
        patterns.is_empty()
            || patterns.iter().any(|pattern| match pattern.split_once('*') {
                None => pattern == name,
                Some((front, back)) => {
                    name.len() >= front.len() + back.len() && name.starts_with(front) && name.ends_with(back)
                }
            })
    }

    proptest! {
        #[test]
        fn names_match_as_by_trying_each(
            patterns in vec("[ab.]{0,3}[*]?[ab.]{0,3}", 0..6), name in "[ab.]{0,7}",
        ) {
            prop_assert_eq!(means(&elements(9, &patterns), 9, &name), model(&patterns, &name));
        }
    }
}
