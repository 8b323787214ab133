//! Which paths a rule means: patterns as one finite automaton, so that a byte of a path costs the same few
//! operations whatever the pattern is, and nothing is ever tried twice.
//!
//! A state is how much of a pattern has been met; a set of states is a row of bits, and one byte moves all
//! of them at once (R. Baeza-Yates, G. Gonnet, "A new approach to text searching", CACM 1992). A star is a
//! state that stays. [`compile`] is for user space; the programs in the kernel only take steps.

use bytemuck::{Pod, Zeroable};

/// Words of a set.
const WORDS: usize = 4;

/// States that the patterns of one rule can have: one for each character, and one more for each pattern.
pub const STATES: usize = WORDS * 64;

/// A set of states.
pub type States = [u64; WORDS];

/// The patterns of one rule: a path matches if any of them does.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Glob {
    /// Before the first byte of a path.
    pub start: States,
    /// Ends of patterns.
    pub accept: States,
    /// States behind a `*` or `**`: they stay on any byte but `/`.
    pub within: States,
    /// States behind a `**`: they stay on a `/`, too.
    pub across: States,
    /// States in front of the `/` of a `**/`, which may stand for nothing at all.
    pub skip: States,
    /// By byte: the states that it leads out of, to the next.
    pub bytes: [States; 256],
}

const _: () = assert!(size_of::<Glob>() == (5 + 256) * WORDS * 8);

impl Glob {
    /// Takes `states` over one more byte of the path; in place, since the kernel side has little stack.
    #[inline(always)]
    pub const fn step(&self, states: &mut States, byte: u8) {
        let eats = &self.bytes[byte as usize];
        let stays = if byte == b'/' { &self.across } else { &self.within };
        let (mut moved_over, mut skipped_over) = (0, 0);
        let mut i = 0;
        while i < WORDS {
            let now = states[i];
            let moved = now & eats[i];
            let here = moved << 1 | moved_over;
            moved_over = moved >> 63;
            // Only just arrived: a state that stays is in the middle of a name.
            let skipped = here & self.skip[i];
            states[i] = here | skipped << 1 | skipped_over | now & stays[i];
            skipped_over = skipped >> 63;
            i += 1;
        }
    }

    /// Is a whole pattern met?
    #[inline(always)]
    #[must_use]
    pub const fn accepts(&self, states: &States) -> bool {
        let mut met = 0;
        let mut i = 0;
        while i < WORDS {
            met |= states[i] & self.accept[i];
            i += 1;
        }
        met != 0
    }

    /// Does any pattern match all of `path`? What the kernel side does, in one go.
    #[must_use]
    pub fn matches(&self, path: &[u8]) -> bool {
        let mut states = self.start;
        for &byte in path {
            self.step(&mut states, byte);
        }
        self.accepts(&states)
    }
}

/// What is wrong with a pattern.
#[cfg(not(target_arch = "bpf"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobError {
    /// There is nothing in it.
    Empty,
    /// A `[` without its `]`.
    OpenClass,
    /// A range whose end comes before its start, as in `[z-a]`.
    BackwardRange,
    /// A class that no byte is in.
    EmptyClass,
    /// A `\` at the end, with nothing to escape.
    LoneEscape,
    /// All patterns together have more characters than [`STATES`] allows.
    TooLong,
}

/// Makes an automaton of patterns.
///
/// `*` stands for anything but `/`, `**` for anything, `**/` for any folders or none, `?` for a byte other
/// than `/`, `[a-z]` for one of those bytes and `[!a-z]` for another one, never `/`; `\` takes the next
/// byte as it is. A pattern without a leading `/` may begin at any component of the path.
///
/// # Errors
/// See [`GlobError`].
#[cfg(not(target_arch = "bpf"))]
pub fn compile(patterns: &[&[u8]]) -> Result<Glob, GlobError> {
    let mut builder = Builder { glob: Glob::zeroed(), at: 0 };
    for pattern in patterns {
        builder.pattern(pattern)?;
    }
    Ok(builder.glob)
}

#[cfg(not(target_arch = "bpf"))]
struct Builder {
    glob: Glob,
    /// The state that the next character leads out of.
    at: usize,
}

#[cfg(not(target_arch = "bpf"))]
impl Builder {
    fn pattern(&mut self, pattern: &[u8]) -> Result<(), GlobError> {
        let (&first, mut rest) = pattern.split_first().ok_or(GlobError::Empty)?;
        set(&mut self.glob.start, self.at)?;
        if first == b'/' {
            self.eat(|byte| byte == b'/')?;
        } else {
            // Every path begins with a `/`, so this is "any folders", and none is one of them.
            set(&mut self.glob.within, self.at)?;
            set(&mut self.glob.across, self.at)?;
            self.eat(|byte| byte == b'/')?;
            rest = pattern;
        }
        // Is what comes next at the start of a component?
        let mut at_component = true;
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            let here = at_component;
            at_component = byte == b'/';
            match byte {
                b'*' => {
                    let more = rest.iter().take_while(|&&byte| byte == b'*').count();
                    rest = &rest[more..];
                    set(&mut self.glob.within, self.at)?;
                    if more > 0 {
                        set(&mut self.glob.across, self.at)?;
                        if here && rest.first() == Some(&b'/') {
                            self.any_folders(&mut rest)?;
                            at_component = true;
                        }
                    }
                }
                b'?' => self.eat(|byte| byte != b'/')?,
                b'[' => {
                    let class = Class::read(&mut rest)?;
                    self.eat(|byte| byte != b'/' && class.has(byte))?;
                }
                b'\\' => {
                    let (&escaped, after) = rest.split_first().ok_or(GlobError::LoneEscape)?;
                    rest = after;
                    self.eat(|byte| byte == escaped)?;
                    at_component = escaped == b'/';
                }
                literal => self.eat(|byte| byte == literal)?,
            }
        }
        set(&mut self.glob.accept, self.at)?;
        self.at += 1;
        Ok(())
    }

    /// Behind a `**` at the start of a component: its `/`, which may be missing together with it. Several
    /// of them in a row are one.
    fn any_folders(&mut self, rest: &mut &[u8]) -> Result<(), GlobError> {
        while let Some(after) = rest.strip_prefix(b"/**") {
            let stars = after.iter().take_while(|&&byte| byte == b'*').count();
            if after.get(stars) != Some(&b'/') {
                break;
            }
            *rest = &after[stars..];
        }
        *rest = &rest[1..];
        set(&mut self.glob.skip, self.at)?;
        self.eat(|byte| byte == b'/')
    }

    /// One character, to be met by any byte for which `takes` holds.
    fn eat(&mut self, takes: impl Fn(u8) -> bool) -> Result<(), GlobError> {
        for (states, byte) in self.glob.bytes.iter_mut().zip(0..=u8::MAX) {
            if takes(byte) {
                set(states, self.at)?;
            }
        }
        self.at += 1;
        Ok(())
    }
}

#[cfg(not(target_arch = "bpf"))]
fn set(states: &mut States, at: usize) -> Result<(), GlobError> {
    *states.get_mut(at / 64).ok_or(GlobError::TooLong)? |= 1 << (at % 64);
    Ok(())
}

/// What stands between `[` and `]`.
#[cfg(not(target_arch = "bpf"))]
struct Class {
    negated: bool,
    bytes: [bool; 256],
}

#[cfg(not(target_arch = "bpf"))]
impl Class {
    fn read(rest: &mut &[u8]) -> Result<Self, GlobError> {
        fn next(rest: &mut &[u8]) -> Option<(u8, bool)> {
            let (&byte, after) = rest.split_first()?;
            *rest = after;
            if byte != b'\\' {
                return Some((byte, false));
            }
            let (&escaped, after) = rest.split_first()?;
            *rest = after;
            Some((escaped, true))
        }
        let negated = matches!(rest.first(), Some(b'!' | b'^'));
        if negated {
            *rest = &rest[1..];
        }
        let mut class = Self { negated, bytes: [false; 256] };
        let mut first = true;
        loop {
            let (low, escaped) = next(rest).ok_or(GlobError::OpenClass)?;
            // A `]` in the first place is one of the class, as in fnmatch(3).
            if low == b']' && !first && !escaped {
                break;
            }
            first = false;
            let mut high = low;
            if let [b'-', end, ..] = **rest
                && end != b']'
            {
                *rest = &rest[1..];
                (high, _) = next(rest).ok_or(GlobError::OpenClass)?;
            }
            if high < low {
                return Err(GlobError::BackwardRange);
            }
            class.bytes[usize::from(low)..=usize::from(high)].fill(true);
        }
        if (0..=u8::MAX).any(|byte| byte != b'/' && class.has(byte)) {
            Ok(class)
        } else {
            Err(GlobError::EmptyClass)
        }
    }

    const fn has(&self, byte: u8) -> bool {
        self.bytes[byte as usize] != self.negated
    }
}

#[cfg(test)]
mod tests;
