//! Shows results: as a table, as lines of JSON, as a picture.

use crate::{
    loads::{Bench, Load},
    measure::Outcome,
    peers::{FLATE2, Kind, ONE_WAY, PEERS, Peer},
};

/// The results of one load: the figures of each peer, or the reason why it has none.
pub struct Results {
    pub bench: Bench,
    pub load: String,
    /// The heading of the rows in the table.
    about: String,
    level: Option<u8>,
    /// The bytes of a message before compression, or of a head.
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

    /// Returns the median of `websocket-proto`.
    fn ours(&self) -> Option<f64> {
        self.rows.iter().find(|row| row.peer.kind == Kind::Ours).and_then(Row::median)
    }

    /// Returns the row with the lowest median among the peers that skip nothing.
    fn best(&self) -> Option<(&Row, f64)> {
        let counts = |row: &&Row| row.peer.kind == Kind::Peer && row.skips.is_none();
        let rows = self.rows.iter().filter(counts);
        rows.filter_map(|row| Some((row, row.median()?))).min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Returns a table with one line for each peer that ran the load.
    pub fn table(&self) -> String {
        let Results { load, about, .. } = self;
        let mut table = format!("\n{}: {load}  ({about})\n", self.bench.name());
        table += &format!("  {:34}", "ns per message");
        for head in ["median", "spread", "MB/s", "B out", "to best"] {
            table += &format!("{head:>11}");
        }
        table += "\n";
        let best = self.best().map(|(_, median)| median);
        for row in &self.rows {
            let Ok(Outcome { median, spread, bytes }) = row.outcome else { continue };
            let (speed, spread) = (1000.0 * self.bytes / median, 100.0 * spread);
            table += &format!("  {:34}{median:11.1}{spread:10.1}%", row.peer.name);
            table += &format!("{speed:11.0}{bytes:11.0}");
            table += &best.map_or(format!("{:>11}", "-"), |best| format!("{:11.2}", median / best));
            table += &row.skips.map_or(String::new(), |skips| format!("  * {skips}"));
            table += "\n";
        }
        table
    }

    /// Returns one line of JSON for each peer that ran the load.
    pub fn json(&self) -> String {
        let mut lines = String::new();
        for row in &self.rows {
            let Ok(Outcome { median, spread, bytes }) = row.outcome else { continue };
            lines += &format!(
                r#"{{"bench":"{}","load":"{}","peer":"{}","ns":{median:.2},"bytes":{:.1}"#,
                self.bench.name(),
                self.load,
                row.peer.name,
                self.bytes,
            );
            lines += &format!(r#","spread":{spread:.3},"out":{bytes:.1}"#);
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

    /// Returns the reason why `peer` did not run the load, if it did not.
    fn lack(&self, peer: &Peer) -> Option<&'static str> {
        let row = self.rows.iter().find(|row| row.peer.name == peer.name)?;
        row.outcome.as_ref().err().copied()
    }
}

/// Compares our rows that skip nothing with the best peer that skips nothing, a line for each load.
pub fn overview(results: &[Results]) -> String {
    let mut overview = String::new();
    for of_one in results.chunk_by(|one, other| one.bench.name() == other.bench.name()) {
        let ours = |row: &&Row| row.peer.kind == Kind::Ours && row.skips.is_none();
        let names = |one: &Results| one.rows.iter().filter(ours).map(|row| row.peer.name).collect();
        let names: Vec<&str> = of_one.first().map(names).unwrap_or_default();
        overview += &format!("\n{}, to the best peer that skips nothing\n", of_one[0].bench.name());
        overview += &format!("  {:44}", "");
        for name in &names {
            let short = name.strip_prefix("websocket-proto, ").unwrap_or("in place");
            overview += &format!("{short:>18}");
        }
        overview += "  best peer, ns\n";
        for one in of_one {
            let Some((best, median)) = one.best() else { continue };
            overview += &format!("  {:44}", one.load);
            for row in one.rows.iter().filter(ours) {
                overview += &match row.median() {
                    Some(ours) => format!("{:18.2}", ours / median),
                    None => format!("{:>18}", "-"),
                };
            }
            overview += &format!("  {}, {median:.1}\n", best.peer.name);
        }
    }
    overview
}

/// Returns the notes on the peers, and the benches that each lacks, with the reason.
pub fn notes(results: &[Results], peers: &[&'static Peer]) -> String {
    let mut notes = String::from("\nThe rows:\n");
    for peer in peers {
        notes += &format!("  {}: {}\n", peer.name, peer.note);
    }
    notes += "\nWhat is not there:\n";
    for peer in peers.iter().filter(|peer| peer.kind == Kind::Peer) {
        let mut lines = Vec::new();
        for one in results {
            let why = one.lack(peer).filter(|&why| why != ONE_WAY);
            let Some(why) = why else { continue };
            // The load is named if the peer runs other loads of the bench.
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

/// The picture: the height of a row, the widths of its parts, and the longest bar in times of ours.
const ROW: usize = 15;
const LEFT: usize = 170;
const WIDTH: usize = 420;
const RIGHT: usize = 120;
const MOST: f64 = 6.0;

/// Draws the loads of receive-server as bars: the time of a message, in times of ours.
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

/// Draws one row of the picture, at the height `y`.
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
