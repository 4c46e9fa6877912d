//! Compares the tests with the papers: each row of `requirements.md` and `attacks.md` whose state
//! is `now` is cited by a test, and no test cites a row that does not exist.
//!
//! A row is cited by the name of a test function (`r6455_5_2_a_reserved_bits`, `t04_ping_without_fin`),
//! by the doc line of one that covers more (`/// Covers R6455-5.2-b, T04.`), or by the `id` field of
//! a test vector (`id: "R6455-5.2-a R6455-5.2-k"`). The name of a test has one id at most.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const REQUIREMENTS: &str = include_str!("requirements.md");
const ATTACKS: &str = include_str!("attacks.md");

#[test]
fn every_requirement_of_now_has_a_test() {
    let missing = uncovered(&requirements(), &citations());
    assert!(missing.is_empty(), "no test cites {}", missing.join(", "));
}

#[test]
fn every_attack_of_now_has_a_test() {
    let missing = uncovered(&attacks(), &citations());
    assert!(missing.is_empty(), "no test cites {}", missing.join(", "));
}

#[test]
fn no_test_cites_a_row_that_does_not_exist() {
    let mut rows = requirements();
    rows.extend(attacks());
    let unknown = unknown(&rows, &citations());
    assert!(unknown.is_empty(), "no paper has {}", unknown.join(", "));
}

#[test]
fn the_name_of_a_test_has_one_id_at_most() {
    let names: BTreeSet<_> =
        files().iter().flat_map(|file| names(&fs::read_to_string(file).unwrap())).collect();
    assert!(names.len() > 500);
    let crowded: Vec<_> = names.iter().filter(|name| cited_by_name(name).len() > 1).collect();
    assert!(crowded.is_empty(), "{crowded:?}: further ids stand in a line `/// Covers ...`");
}

#[test]
fn every_file_of_tests_is_part_of_a_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let all = fs::read_to_string(folder.join("all.rs")).unwrap();
    let named: BTreeSet<_> =
        all.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    // No file is left out by a feature here. One attribute is that of the whole program.
    assert_eq!(all.matches("cfg").count(), 1);
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_some_and(|extension| extension == "rs") && name != "all" {
            assert!(named.contains(name) || name == "ledger", "all.rs does not name {name}");
            files += 1;
        }
    }
    assert!(files > 30);
}

/// Without this, a parser that reads nothing would find nothing to complain about.
#[test]
fn the_papers_have_the_rows_that_they_should() {
    let requirements = requirements();
    let count =
        |by, state| requirements.iter().filter(|row| (row.by, row.state) == (by, state)).count();
    assert_eq!((count(By::Core, State::Now), count(By::Core, State::Later)), (105, 0));
    assert_eq!((count(By::Handshake, State::Now), count(By::Handshake, State::Later)), (83, 0));
    assert_eq!((count(By::Driver, State::Now), count(By::Driver, State::Later)), (37, 0));
    assert_eq!(requirements.len(), 225);

    let attacks = attacks();
    let later = attacks.iter().filter(|row| row.state == State::Later).count();
    assert_eq!((attacks.len(), later), (45, 0));

    let mut keys = BTreeSet::new();
    for row in requirements.iter().chain(&attacks) {
        assert!(keys.insert(key(row.id)), "{} stands twice", row.id);
        // The name of a test that cites the row has to lead back to it.
        assert_eq!(cited_by_name(&format!("{}_x", key(row.id))), [key(row.id)]);
    }
}

#[test]
fn rows_are_read_from_a_table() {
    let paper = "\
        | ID | role | level | requirement | by | AB | state | test |\n\
        |---|---|---|---|---|---|---|---|\n\
        | R6455-5.2-a | both | MUST | Words. | core | 3.1 | now | `C1 00` |\n\
        | R6455-5.3-a | client | MUST | Words. | core (the caller) | – | now | x |\n\
        | R7692-5-a | client | MAY | Words. | handshake | – | later | x |\n\
        | R6455-7.3-a | server | MAY | Words. | driver: `close()` | – | later | x |\n\
        R6455-9-a in running text is no row.\n";
    let rows: Vec<_> = rows(paper, 8, |cells| (by(cells[4]), cells[6])).collect();
    let read: Vec<_> = rows.iter().map(|row| (row.id, row.by, row.state)).collect();
    assert_eq!(
        read,
        [
            ("R6455-5.2-a", By::Core, State::Now),
            ("R6455-5.3-a", By::Core, State::Now),
            ("R7692-5-a", By::Handshake, State::Later),
            ("R6455-7.3-a", By::Driver, State::Later),
        ]
    );

    let source = "#[test]\nfn r6455_5_2_a_reserved_bits() {}\n";
    assert_eq!(uncovered(&rows, &cited(source)), ["R6455-5.3-a"]);
    assert_eq!(unknown(&rows, &cited("#[test]\nfn r6455_5_2_z() {}\n")), ["r6455_5_2_z"]);
}

#[test]
#[should_panic(expected = "cells")]
fn a_row_that_lacks_a_cell_is_refused() {
    rows("| T01 | input | seen in | now |\n", 5, |cells| (By::Core, cells[3])).for_each(drop);
}

#[test]
#[should_panic(expected = "state")]
fn a_state_that_is_misspelt_is_refused() {
    rows("| T01 | input | seen in | nwo | owed |\n", 5, |cells| (By::Core, cells[3]))
        .for_each(drop);
}

#[test]
fn tests_are_distinguished_from_other_functions() {
    let source = "
        #[test]
        fn t01_one() {}
        fn t02_no_test() {}
        // #[test]
        fn t03_commented_out() {}
        #[test]
        #[should_panic(expected = \"x\")]
        /// Words.
        fn t04_attributes_between() {}
        #[test]
        #[ignore]
        fn t05_never_run() {}
        #[test] fn t06_one_line() {}
        #[tokio::test]
        async fn t10_async() {}
        #[tokio::test(start_paused = true)]
        async fn t11_async() {}
        #[test]
        const T07: u8 = 0;
        fn t07_too_late() {}
        // #[test] fn t08_one_line_commented_out() {}
        #[cfg(test)]
        fn t09_another_attribute() {}
    ";
    assert_eq!(cited(source), keys(&["t01", "t04", "t06", "t10", "t11"]));
}

#[test]
fn doc_lines_cite_for_the_test_that_follows() {
    let source = "
        /// Words.
        /// Covers R6455-5.2-a, T02.
        #[test]
        /// Covers R6455-E3433.
        fn t01_one() {}
        /// Covers T03.
        fn no_test() {}
        #[test]
        fn t04_one() {}
        // /// Covers T05.
        /// Covers T06 and more.
        #[test]
        #[ignore]
        fn t07_never_run() {}
        /// It covers T08.
        #[test]
        fn t09_one() {}
    ";
    assert_eq!(cited(source), keys(&["r6455_5_2_a", "r6455_e3433", "t01", "t02", "t04", "t09"]));
}

#[test]
fn names_cite_whole_ids_only() {
    assert_eq!(cited_by_name("r6455_4_1_a_own_socket"), ["r6455_4_1_a"]);
    assert_eq!(cited_by_name("r6455_4_1_a"), ["r6455_4_1_a"]);
    assert_eq!(cited_by_name("r6455_4_2_1_a_any_mismatch"), ["r6455_4_2_1_a"]);
    assert_eq!(cited_by_name("r6455_e3433_two_lines"), ["r6455_e3433"]);
    assert_eq!(cited_by_name("iana_cc_a_registered"), ["iana_cc_a"]);
    assert_eq!(cited_by_name("t01_r6455_5_2_b_opcodes"), ["t01", "r6455_5_2_b"]);
    assert_eq!(cited_by_name("server_t10_lengths"), ["t10"]);
    // Without a letter this is a citation, but of a row that does not exist.
    assert_eq!(cited_by_name("r6455_5_2_reserved"), ["r6455_5_2"]);
    assert_eq!(cited_by_name("r6455_4_1_ab"), ["r6455_4_1"]);
    assert_eq!(cited_by_name("s5_4_ping_between_fragments"), [""; 0]);
    assert_eq!(cited_by_name("t1_short_t100_part2_rfc6455_utf8"), [""; 0]);
}

#[test]
fn vectors_cite_every_id_of_their_field() {
    let source = r#"
        Vector { id: "R6455-5.2-a R6455-E3433", input: "81 00" },
        Vector { id: "IANA-CC-a", ..DEFAULT },
        // Vector { id: "T01" },
        Vector { grid: "T02", id, other_id: "T03" },
    "#;
    assert_eq!(cited(source), keys(&["iana_cc_a", "r6455_5_2_a", "r6455_e3433"]));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Core,
    Handshake,
    Driver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Now,
    Later,
}

/// A row of one of the papers.
struct Row {
    id: &'static str,
    by: By,
    state: State,
}

fn requirements() -> Vec<Row> {
    rows(REQUIREMENTS, 8, |cells| (by(cells[4]), cells[6])).collect()
}

fn attacks() -> Vec<Row> {
    rows(ATTACKS, 5, |cells| (By::Core, cells[3])).collect()
}

/// Returns the rows of all tables in `paper` whose first cell is an id.
fn rows(
    paper: &'static str,
    width: usize,
    read: impl Fn(&[&'static str]) -> (By, &'static str),
) -> impl Iterator<Item = Row> {
    paper.lines().filter_map(move |line| {
        let cells: Vec<_> =
            line.trim().strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
        let id = cells[0];
        // An id starts with a capital for its source, and has a digit or a dash further on.
        if !id.starts_with(['R', 'T', 'I'])
            || !id.contains(|c: char| c.is_ascii_digit() || c == '-')
        {
            return None;
        }
        assert_eq!(cells.len(), width, "cells of {id}");
        let (by, state) = read(&cells);
        let state = match state {
            "now" => State::Now,
            "later" => State::Later,
            _ => panic!("state of {id}: {state}"),
        };
        Some(Row { id, by, state })
    })
}

/// Parses the first word of a cell `by`. The rest of the cell names the signal or the source.
fn by(cell: &str) -> By {
    match cell.split([' ', ':']).next() {
        Some("core") => By::Core,
        Some("handshake") => By::Handshake,
        Some("driver") => By::Driver,
        _ => panic!("by: {cell}"),
    }
}

/// Returns an id in the form that function names have.
fn key(id: &str) -> String {
    id.to_ascii_lowercase().replace(['-', '.'], "_")
}

fn uncovered(rows: &[Row], cited: &BTreeSet<String>) -> Vec<String> {
    let missing =
        rows.iter().filter(|row| row.state == State::Now && !cited.contains(&key(row.id)));
    missing.map(|row| row.id.to_owned()).collect()
}

fn unknown(rows: &[Row], cited: &BTreeSet<String>) -> Vec<String> {
    let known: BTreeSet<_> = rows.iter().map(|row| key(row.id)).collect();
    cited.difference(&known).cloned().collect()
}

/// Returns the ids that the tests of the repository cite.
fn citations() -> BTreeSet<String> {
    files().iter().flat_map(|file| cited(&fs::read_to_string(file).unwrap())).collect()
}

/// Returns the sources of this crate, its tests and the crates around it, without this file.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "crates"] {
        sources(&root.join(folder), &mut files);
    }
    files.retain(|file| *file != root.join("tests/ledger.rs"));
    assert!(!files.is_empty());
    files
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Returns the keys of all ids that the tests and vectors of one file cite.
fn cited(source: &str) -> BTreeSet<String> {
    let mut cited: BTreeSet<_> = source
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with("//"))
        .flat_map(cited_by_fields)
        .collect();
    for (name, docs) in tests(source) {
        cited.extend(cited_by_name(name));
        cited.extend(docs.into_iter().flat_map(|line| line.split(", ")).map(key));
    }
    cited
}

/// Returns the names of the tests of one file.
fn names(source: &str) -> Vec<String> {
    tests(source).into_iter().map(|(name, _)| name.to_owned()).collect()
}

/// Returns the tests of one file: the name of each, and the lists of ids in its doc lines.
fn tests(source: &str) -> Vec<(&str, Vec<&str>)> {
    let mut tests = Vec::new();
    // Whether a `#[test]` was read without its function, and the lists for that function.
    let (mut test, mut covered) = (false, Vec::new());
    for line in source.lines().map(str::trim) {
        if let Some(list) = line.strip_prefix("/// Covers ") {
            covered.extend(list.strip_suffix('.'));
        }
        if line.is_empty() || line.starts_with("//") {
            continue;
        }
        let mut code = line;
        let attributes = ["#[test]", "#[tokio::test]", "#[tokio::test(start_paused = true)]"];
        let attribute = attributes.iter().find_map(|attribute| code.strip_prefix(attribute));
        if let Some(rest) = attribute {
            test = true;
            code = rest.trim_start();
        }
        if code.starts_with("#[ignore") {
            test = false;
        } else if !code.is_empty() && !code.starts_with("#[") {
            let covered = std::mem::take(&mut covered);
            tests.extend(function(code).filter(|_| test).map(|name| (name, covered)));
            test = false;
        }
    }
    tests
}

/// Returns the name of the function that starts on this line.
fn function(code: &str) -> Option<&str> {
    let code = code.strip_prefix("pub ").unwrap_or(code);
    let code = code.strip_prefix("async ").unwrap_or(code);
    let rest = code.strip_prefix("fn ")?;
    rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()
}

/// Returns the keys in a function's name, even those of rows that do not exist, because
/// `r6455_5_2_x` is a citation by its form.
fn cited_by_name(name: &str) -> Vec<String> {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_letter = |part: &str| part.len() == 1 && part.bytes().all(|b| b.is_ascii_lowercase());
    let parts: Vec<_> = name.split('_').collect();
    let mut cited = Vec::new();
    let mut at = 0;
    while at < parts.len() {
        let start = at;
        let (source, number) = parts[at].split_at(parts[at].len().min(1));
        at += 1;
        match source {
            "t" if number.len() == 2 && is_number(number) => {}
            "r" if number.len() == 4 && is_number(number) => {
                if parts.get(at).is_some_and(|part| part.strip_prefix('e').is_some_and(is_number)) {
                    at += 1;
                } else {
                    while parts.get(at).is_some_and(|part| is_number(part)) {
                        at += 1;
                    }
                    at += usize::from(parts.get(at).is_some_and(|part| is_letter(part)));
                }
            }
            _ if parts[start] == "iana" && parts.get(at) == Some(&"cc") => {
                at += 1;
                at += usize::from(parts.get(at).is_some_and(|part| is_letter(part)));
            }
            _ => continue,
        }
        cited.push(parts[start..at].join("_"));
    }
    cited
}

/// Returns the keys in every field `id: "..."` of a line.
fn cited_by_fields(code: &str) -> Vec<String> {
    let mut cited = Vec::new();
    for (at, field) in code.match_indices("id: \"") {
        let inside_a_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if let Some(ids) = code[at + field.len()..].split('"').next().filter(|_| !inside_a_word) {
            cited.extend(ids.split_whitespace().map(key));
        }
    }
    cited
}

fn keys(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}
