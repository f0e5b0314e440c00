//! Path patterns: `*` and `?` within one part of a path, `**` across parts.

/// True if the path, relative and without a leading slash, matches the pattern.
///
/// `?` stands for one character and `*` for any number of them, neither for a slash; `**` stands for anything, slashes included, and
/// `**/` also for nothing. A leading slash of the pattern means nothing. Everything else stands for itself.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<char> = pattern.trim_start_matches('/').chars().collect();
    let path: Vec<char> = path.chars().collect();
    // reached[j]: the pattern up to here matches the first j characters of the path.
    let mut reached = vec![false; path.len() + 1];
    reached[0] = true;
    let mut at = 0;
    while let Some(token) = pattern.get(at) {
        let mut next = vec![false; path.len() + 1];
        if *token == '*' && pattern.get(at + 1) == Some(&'*') {
            at += 2;
            let whole_parts = pattern.get(at) == Some(&'/') && (at == 2 || pattern.get(at - 3) == Some(&'/'));
            let mut open = false;
            if whole_parts {
                // Nothing, or any number of whole parts with the slash behind each.
                at += 1;
                for j in 0..=path.len() {
                    open |= reached[j];
                    next[j] = reached[j] || (open && j > 0 && path[j - 1] == '/');
                }
            } else {
                for j in 0..=path.len() {
                    open |= reached[j];
                    next[j] = open;
                }
            }
        } else {
            at += 1;
            for j in 0..=path.len() {
                next[j] = match token {
                    '*' => reached[j] || (j > 0 && next[j - 1] && path[j - 1] != '/'),
                    '?' => j > 0 && reached[j - 1] && path[j - 1] != '/',
                    other => j > 0 && reached[j - 1] && path[j - 1] == *other,
                };
            }
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

/// True if a pattern stands for more than one path.
pub(crate) fn is_wild(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stay_within_a_part_and_double_stars_do_not() {
        for (pattern, yes, no) in [
            ("vis", "vis", "a/vis"),
            ("/vis", "vis", "visx"),
            ("*", "vis", "a/vis"),
            ("*/vis", "a/vis", "a/b/vis"),
            ("**", "a/b/vis", "\u{0}never"),
            ("**/vis", "vis", "avis"),
            ("**/vis", "a/b/vis", "a/bvis"),
            ("a/**/d", "a/d", "ad"),
            ("a/**/d", "a/b/c/d", "a/b/c/xd"),
            ("a/**", "a/b/c", "b/c"),
            ("v?s*", "vis_weight", "v/s"),
            ("na\u{ef}v?", "na\u{ef}v\u{e9}", "na\u{ef}v"),
            ("a*b*c", "aXbYc", "aXbY"),
        ] {
            assert!(matches(pattern, yes), "{pattern} should match {yes}");
            if no != "\u{0}never" {
                assert!(!matches(pattern, no), "{pattern} should not match {no}");
            }
        }
        assert!(matches("**", ""));
        assert!(!matches("*a*a*a*a*a*a*a*a*a*b", &"a".repeat(500)), "no exponential search");
    }
}
