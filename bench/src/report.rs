//! How results are shown: as a table, as lines of JSON, as a picture.

use crate::{
    loads::{Bench, Load},
    measure::Outcome,
    peers::{FLATE2, Kind, PEERS, Peer},
};

/// What came out of one load: what each peer did, or why it did not.
pub struct Results {
    pub bench: Bench,
    pub load: String,
    /// What a row of the table is headed with.
    about: String,
    level: Option<u8>,
    /// The bytes of a message before they are compressed, or of a head.
    bytes: f64,
    rows: Vec<Row>,
}

struct Row {
    peer: &'static Peer,
    skips: Option<&'static str>,
    outcome: Result<Outcome, &'static str>,
}

impl Row {
    fn median(&self) -> Option<f64> {
        self.outcome.as_ref().ok().map(|outcome| outcome.median)
    }
}

impl Results {
    pub fn new(
        load: &Load,
        peers: &[&'static Peer],
        outcomes: Vec<Result<Outcome, &'static str>>,
    ) -> Self {
        let count = load.count as f64;
        let bytes = match load.bench.is_handshake() {
            true => load.wire.len() as f64,
            false => load.in_order().map(|message| message.bytes.len() as f64).sum::<f64>() / count,
        };
        let thing = if load.bench.is_handshake() { "handshakes" } else { "messages" };
        let row = |(&peer, outcome)| Row { peer, skips: (peer.skips)(load), outcome };
        Results {
            bench: load.bench,
            load: load.name.clone(),
            about: format!("{} {thing} of {bytes:.0} B", load.count),
            level: load.deflate.as_ref().map(|deflate| deflate.level),
            bytes,
            rows: peers.iter().zip(outcomes).map(row).collect(),
        }
    }

    fn ours(&self) -> Option<f64> {
        self.rows.iter().find(|row| row.peer.kind == Kind::Ours).and_then(Row::median)
    }

    /// The row with the least median among those that `counts`.
    fn best(&self, counts: impl Fn(&Row) -> bool) -> Option<(&Row, f64)> {
        let rows = self.rows.iter().filter(|row| counts(row));
        rows.filter_map(|row| Some((row, row.median()?))).min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// One line for each peer that did the load, and one of what it comes to.
    pub fn table(&self) -> String {
        let Results { load, about, .. } = self;
        let mut table = format!("\n{}: {load}  ({about})\n", self.bench.name());
        table += &format!("  {:24}", "ns per message");
        for head in ["best", "median", "9 in 10", "MB/s", "B out", "ours/this"] {
            table += &format!("{head:>11}");
        }
        table += "\n";
        for row in &self.rows {
            let Ok(Outcome { best, median, slow, bytes }) = row.outcome else { continue };
            let speed = 1000.0 * self.bytes / median;
            table += &format!("  {:24}{best:11.1}{median:11.1}{slow:11.1}", row.peer.name);
            table += &format!("{speed:11.0}{bytes:11.0}");
            table += &self.ours().map_or("-".into(), |ours| format!("{:11.2}", ours / median));
            table += &row.skips.map_or(String::new(), |skips| format!("  * {skips}"));
            table += "\n";
        }
        table + &self.summary()
    }

    /// How ours compares with a copy, with the codec alone and with the best peer.
    fn summary(&self) -> String {
        let Some(ours) = self.ours() else { return String::new() };
        let peers = |row: &Row| row.peer.kind == Kind::Peer && row.skips.is_none();
        let bests = [
            ("", self.best(|row| row.peer.kind == Kind::Copy)),
            ("", self.best(|row| row.peer.kind == Kind::Codec)),
            ("the best peer that skips nothing, ", self.best(peers)),
        ];
        let parts = bests.into_iter().filter_map(|(what, best)| {
            let (row, median) = best?;
            Some(format!("{:.2} of {what}{}", ours / median, row.peer.name))
        });
        match parts.collect::<Vec<_>>() {
            parts if parts.is_empty() => String::new(),
            parts => format!("  websocket-proto takes {}\n", parts.join("; ")),
        }
    }

    /// One line for each peer that did the load.
    pub fn json(&self) -> String {
        let mut lines = String::new();
        for row in &self.rows {
            let Ok(Outcome { best, median, slow, bytes }) = row.outcome else { continue };
            lines += &format!(
                r#"{{"bench":"{}","load":"{}","peer":"{}","ns":{median:.2},"bytes":{:.1}"#,
                self.bench.name(),
                self.load,
                row.peer.name,
                self.bytes,
            );
            lines += &format!(r#","best":{best:.2},"slow":{slow:.2},"out":{bytes:.1}"#);
            if let Some(level) = self.level {
                lines += &format!(r#","level":{level},"flate2":"{FLATE2}""#);
            }
            if let Some(skips) = row.skips {
                lines += &format!(r#","skips":"{skips}""#);
            }
            lines += "}\n";
        }
        lines
    }

    /// Why `peer` did not do the load, if it did not.
    fn lack(&self, peer: &Peer) -> Option<&'static str> {
        let row = self.rows.iter().find(|row| row.peer.name == peer.name)?;
        row.outcome.as_ref().err().copied()
    }
}

/// What has to be known of the peers, and which bench one lacks and why.
pub fn notes(results: &[Results], peers: &[&'static Peer]) -> String {
    let mut notes = String::from("\nThe rows:\n");
    for peer in peers {
        notes += &format!("  {}: {}\n", peer.name, peer.note);
    }
    notes += "\nWhat is not there:\n";
    for peer in peers.iter().filter(|peer| peer.kind == Kind::Peer) {
        let mut lines = Vec::new();
        for one in results {
            let Some(why) = one.lack(peer) else { continue };
            // The load is told where the bench has others that the peer does.
            let same = |other: &&Results| other.bench.name() == one.bench.name();
            let whole = results.iter().filter(same).all(|other| other.lack(peer).is_some());
            let what = if whole { one.bench.name() } else { &one.load };
            let line = format!("  {}, {what}: {why}\n", peer.name);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        notes += &lines.concat();
    }
    if PEERS.iter().all(|peer| !peer.name.starts_with("wslay")) {
        notes += "  wslay: skipped, since this was built without the feature wslay\n";
    }
    notes
}

/// The picture: the height of a row, the widths of its parts, and how many times ours a bar shows.
const ROW: usize = 15;
const LEFT: usize = 170;
const WIDTH: usize = 420;
const RIGHT: usize = 120;
const MOST: f64 = 6.0;

/// The loads of receive-server as bars: how long a message takes, in times of what it takes us.
pub fn svg(results: &[Results]) -> String {
    let mut body = String::new();
    let mut y = 40;
    for results in results.iter().filter(|results| results.bench == Bench::ReceiveServer) {
        let Some(ours) = results.ours() else { continue };
        body += &format!("<text class=\"load\" x=\"8\" y=\"{}\">{}</text>\n", y + 11, results.load);
        y += ROW + 2;
        for row in &results.rows {
            let Some(median) = row.median() else { continue };
            body += &bar(row, median, median / ours, y);
            y += ROW;
        }
        y += 10;
    }
    let width = LEFT + WIDTH + RIGHT;
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}">
<style>
text {{ font: 11px sans-serif; fill: #333 }}
.load, .title {{ font-weight: bold }}
.name {{ text-anchor: end }}
.ours {{ fill: #c2410c }}
.peer {{ fill: #3b82a0 }}
.less {{ fill: #9aa5ad }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #ddd }}
.ours {{ fill: #f97316 }}
.less {{ fill: #66717a }}
}}
</style>
<text class="title" x="8" y="18">Receiving as a server: time for a message, in times of websocket-proto (less is better, cut at {MOST}; * skips work)</text>
{body}</svg>
"#
    )
}

/// One row of the picture, at the height `y`.
fn bar(row: &Row, median: f64, times: f64, y: usize) -> String {
    let length = times.min(MOST) / MOST * WIDTH as f64;
    let class = match (row.peer.kind, row.skips) {
        (Kind::Ours, _) => "ours",
        (Kind::Copy, _) | (_, Some(_)) => "less",
        _ => "peer",
    };
    let name = row.peer.name;
    let star = if row.skips.is_some() { " *" } else { "" };
    let (name_x, number_x) = (LEFT - 6, LEFT as f64 + length + 5.0);
    let (text_y, top, height) = (y + 11, y + 2, ROW - 4);
    format!(r#"<text class="name" x="{name_x}" y="{text_y}">{name}{star}</text>"#)
        + &format!(
            r#"<rect class="{class}" x="{LEFT}" y="{top}" width="{length:.1}" height="{height}"/>"#
        )
        + &format!("<text x=\"{number_x:.1}\" y=\"{text_y}\">{times:.2} ({median:.1} ns)</text>\n")
}
