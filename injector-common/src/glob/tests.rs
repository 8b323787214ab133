//! The automaton against a model that tries everything, and against what a reader expects.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

fn glob(pattern: &str) -> Glob {
    compile(&[pattern.as_bytes()]).unwrap()
}

/// What a pattern means, said slowly: by trying every length of every star. Classes are as in
/// `[ab]`, `[a-c]` and `[!a]`.
fn model(pattern: &[u8], path: &[u8]) -> bool {
    if pattern.first() == Some(&b'/') {
        return tail(pattern, path, true);
    }
    (0..path.len()).any(|at| path[at] == b'/' && tail(pattern, &path[at + 1..], true))
}

fn tail(pattern: &[u8], path: &[u8], at_component: bool) -> bool {
    let Some((&first, rest)) = pattern.split_first() else { return path.is_empty() };
    let eats = |takes: &dyn Fn(u8) -> bool, rest: &[u8]| {
        path.first().is_some_and(|&byte| takes(byte) && tail(rest, &path[1..], byte == b'/'))
    };
    match first {
        b'*' => {
            let stars = pattern.iter().take_while(|&&byte| byte == b'*').count();
            let rest = &pattern[stars..];
            if stars > 1 && at_component && rest.first() == Some(&b'/') && tail(&rest[1..], path, true) {
                return true;
            }
            let reach = |byte: u8| stars > 1 || byte != b'/';
            let longest = path.iter().take_while(|&&byte| reach(byte)).count();
            // A `/` that follows here is no start of a pattern's `**/`.
            (0..=longest).any(|length| tail(rest, &path[length..], false))
        }
        b'?' => eats(&|byte| byte != b'/', rest),
        b'[' => {
            let end = 1 + rest.iter().skip(1).position(|&byte| byte == b']').unwrap();
            let (class, rest) = (&rest[..end], &rest[end + 1..]);
            let (negated, class) = match class.strip_prefix(b"!") {
                Some(class) => (true, class),
                None => (false, class),
            };
            let has = |byte: u8| match class {
                [low, b'-', high] => (*low..=*high).contains(&byte),
                bytes => bytes.contains(&byte),
            };
            eats(&|byte| byte != b'/' && has(byte) != negated, rest)
        }
        b'\\' => eats(&|byte| byte == rest[0], &rest[1..]),
        literal => eats(&|byte| byte == literal, rest),
    }
}

#[test]
fn a_star_stays_in_its_component_and_two_do_not() {
    let matches = |pattern: &str, path: &str| glob(pattern).matches(path.as_bytes());
    assert!(matches("/var/*/x", "/var/lib/x") && !matches("/var/*/x", "/var/lib/y/x"));
    assert!(matches("/var/**", "/var/lib/y/x") && !matches("/var/**", "/var"));
    assert!(matches("/var/**/x", "/var/x") && matches("/var/**/x", "/var/a/b/x"));
    assert!(!matches("/var/**/x", "/var/ax") && !matches("/var/**/x", "/var/a/bx"));
    assert!(matches("/a/**/**/***/b", "/a/b") && matches("/a/**/**/b", "/a/c/d/e/b"));
    assert!(matches("/**", "/") && matches("/**", "/a/b") && matches("/", "/") && !matches("/", "/a"));
    assert!(matches("/a?c", "/abc") && !matches("/a?c", "/a/c") && !matches("/a?c", "/ac"));
    assert!(matches("/*", "/.hidden"));
}

#[test]
fn without_a_leading_slash_the_end_of_a_path_is_meant() {
    let matches = |pattern: &str, path: &str| glob(pattern).matches(path.as_bytes());
    assert!(matches("*.wal", "/x.wal") && matches("*.wal", "/var/lib/x.wal"));
    assert!(!matches("*.wal", "/var/lib.wal/x"));
    assert!(matches("pg_wal/*", "/var/pg_wal/0001") && !matches("pg_wal/*", "/var/my_pg_wal/0001"));
    assert!(matches("pg_wal/**", "/var/pg_wal/a/b") && matches("x", "/x") && !matches("x", "/ax"));
}

#[test]
fn classes_and_escapes() {
    let matches = |pattern: &str, path: &str| glob(pattern).matches(path.as_bytes());
    assert!(matches("/[a-c]x", "/bx") && !matches("/[a-c]x", "/dx"));
    assert!(matches("/[!a-c]x", "/dx") && !matches("/[^a-c]x", "/bx") && !matches("/a[!b]c", "/a/c"));
    assert!(matches("/[]x]", "/]") && matches("/[a-]", "/-") && matches("/[\\]]", "/]"));
    assert!(matches("/\\*", "/*") && !matches("/\\*", "/a") && matches("/\\[a", "/[a"));
    assert!(matches("/é?", "/é1") && !matches("/é", "/è"));
}

#[test]
fn any_of_several_patterns() {
    let glob = compile(&[b"/a/*", b"*.db", b"/x"]).unwrap();
    for path in ["/a/1", "/x", "/q/w.db", "/.db"] {
        assert!(glob.matches(path.as_bytes()), "{path}");
    }
    // The end of one is not the beginning of the next.
    for path in ["/a", "/a/1/2", "/xx", "/a/1/q.db/", "/x/x", ""] {
        assert!(!glob.matches(path.as_bytes()), "{path}");
    }
}

#[test]
fn what_is_wrong_is_told() {
    let error = |pattern: &str| compile(&[pattern.as_bytes()]).unwrap_err();
    assert_eq!(error(""), GlobError::Empty);
    assert_eq!(error("/[a"), GlobError::OpenClass);
    assert_eq!(error("/["), GlobError::OpenClass);
    assert_eq!(error("/[]"), GlobError::OpenClass);
    assert_eq!(error("/[\\"), GlobError::OpenClass);
    assert_eq!(error("/[z-a]"), GlobError::BackwardRange);
    assert_eq!(error("/[/]"), GlobError::EmptyClass);
    assert_eq!(error("/a\\"), GlobError::LoneEscape);
    assert_eq!(error(&"/a".repeat(128)), GlobError::TooLong);
    assert!(compile(&["/".repeat(STATES - 1).as_bytes()]).is_ok());
}

fn pattern() -> impl Strategy<Value = String> {
    let pieces = vec!["/", "/", "a", "b", "*", "**", "**/", "?", "[ab]", "[a-b]", "[!a]", "\\*", "\\a"];
    (any::<bool>(), vec(select(pieces), 1..9))
        .prop_map(|(slash, pieces)| if slash { format!("/{}", pieces.concat()) } else { pieces.concat() })
}

fn path() -> impl Strategy<Value = String> {
    vec(select(vec!["/", "/", "a", "b", "*", "c"]), 0..10).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn the_automaton_agrees_with_the_model(pattern in pattern(), path in path()) {
        let expected = model(pattern.as_bytes(), path.as_bytes());
        prop_assert_eq!(glob(&pattern).matches(path.as_bytes()), expected, "{} on {}", pattern, path);
    }

    #[test]
    fn several_are_any_of_them(patterns in vec(pattern(), 1..4), path in path()) {
        let all: Vec<_> = patterns.iter().map(String::as_bytes).collect();
        let expected = all.iter().any(|pattern| model(pattern, path.as_bytes()));
        prop_assert_eq!(compile(&all).unwrap().matches(path.as_bytes()), expected);
    }

    #[test]
    fn no_bytes_make_it_panic(pattern in vec(any::<u8>(), 0..300), path in vec(any::<u8>(), 0..50)) {
        if let Ok(glob) = compile(&[&pattern]) {
            let _ = glob.matches(&path);
        }
    }
}
