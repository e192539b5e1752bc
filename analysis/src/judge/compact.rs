//! Evidence as an object of the API has room for it.
//!
//! The exact form takes 250 bytes per metric and cluster, most of them digits that decide nothing.
//! Here the same takes about 50: names of clusters once, times as distances, what stable is like
//! to 0.2 %, and of the processes 1/64 of a nat. What is cut off never speaks against the release:
//! processes are rounded down, and an episode forgets what was lost in it and lasts as long as if
//! all of it had come with its last window. What speaks in favour, and the fleet's own process,
//! stay exact.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    change_point::Process,
    episode::{CAPPED, Episode, Gains},
    evidence::{Evidence, Place, Stream, VERSION},
    fleet::Fleet,
    increments::{DIFFERENCE, RATIO},
    live::{Live, Totals},
    past::Past,
    processes::{Processes, Time},
};

/// Version of this form.
pub(super) const COMPACT_VERSION: u8 = 5;

/// The most that is remembered of an episode's gains, in its units.
const GAIN_MAX: u8 = i8::MAX.unsigned_abs();

/// Parts of a nat that are kept.
const PARTS_OF_NAT: f64 = 64.0;

#[derive(Debug, Serialize, Deserialize)]
struct Compact {
    version: u8,
    attempts: u32,
    /// What times are distances from, in ms since 1970.
    base_ms: i64,
    clusters: Vec<String>,
    metrics: Vec<(String, Vec<CompactStream>)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CompactStream {
    fleet: Fleet,
    /// By the cluster's place among the names.
    places: Vec<(u32, CompactPlace)>,
}

#[derive(Debug, Serialize, Deserialize)]
enum CompactPlace {
    Live(CompactLive),
    Finished { ratio: i32, difference: i32, canary: Totals, stable: Totals },
}

#[derive(Debug, Serialize, Deserialize)]
struct CompactLive {
    begun: i64,
    windows: u32,
    /// From the base, and then what stable is like.
    until: i64,
    past: [[u8; 2]; 4],
    processes: [i32; RATIO + DIFFERENCE],
    /// Which components have gained in the episode, one bit each, and how much.
    gained: u16,
    gains: Vec<u8>,
    pods_variance: Option<[u8; 2]>,
    canary: Totals,
    stable: Totals,
}

/// As bytes.
pub(super) fn encode(evidence: &Evidence) -> Vec<u8> {
    let streams = || evidence.metrics.values().flatten();
    let mut places: BTreeMap<&str, u32> = streams()
        .flat_map(|stream| stream.clusters.keys())
        .map(|name| (name.as_str(), 0))
        .collect();
    for (place, number) in places.values_mut().zip(0..) {
        *place = number;
    }
    let begun = streams().flat_map(|stream| stream.clusters.values()).filter_map(|place| {
        let Place::Live(live) = place else { return None };
        [live.time.begun_ms, live.past.at_ms].into_iter().filter(|ms| *ms != 0).min()
    });
    let base_ms = begun.min().unwrap_or(0);
    let stream_of = |stream: &Stream| CompactStream {
        fleet: stream.fleet,
        places: stream
            .clusters
            .iter()
            .filter_map(|(name, place)| {
                Some((*places.get(name.as_str())?, compact(place, base_ms)))
            })
            .collect(),
    };
    let compact = Compact {
        version: COMPACT_VERSION,
        attempts: evidence.attempts,
        base_ms,
        metrics: evidence
            .metrics
            .iter()
            .map(|(name, streams)| (name.clone(), streams.iter().map(stream_of).collect()))
            .collect(),
        clusters: places.into_keys().map(str::to_owned).collect(),
    };
    postcard::to_allocvec(&compact).unwrap_or_default()
}

/// Reads what [`encode`] wrote; none where a name is missing.
pub(super) fn decode(bytes: &[u8]) -> Result<Option<Evidence>, postcard::Error> {
    let Compact { version: _, attempts, base_ms, clusters, metrics } = postcard::from_bytes(bytes)?;
    let place_of = |(number, place): (u32, CompactPlace)| {
        let name = clusters.get(usize::try_from(number).ok()?)?;
        Some((name.clone(), restored(place, base_ms)))
    };
    let stream_of = |stream: CompactStream| {
        let clusters = stream.places.into_iter().map(place_of).collect::<Option<_>>()?;
        Some(Stream { fleet: stream.fleet, clusters })
    };
    let metric_of = |(name, streams): (String, Vec<CompactStream>)| {
        Some((name, streams.into_iter().map(stream_of).collect::<Option<_>>()?))
    };
    let metrics = metrics.into_iter().map(metric_of).collect::<Option<_>>();
    Ok(metrics.map(|metrics| Evidence { version: VERSION, attempts, metrics }))
}

fn compact(place: &Place, base_ms: i64) -> CompactPlace {
    match place {
        Place::Live(live) => CompactPlace::Live(compact_live(live, base_ms)),
        Place::Finished { ratio, difference, canary, stable } => CompactPlace::Finished {
            ratio: rounded_down(*ratio),
            difference: rounded_down(*difference),
            canary: *canary,
            stable: *stable,
        },
    }
}

fn compact_live(live: &Live, base_ms: i64) -> CompactLive {
    let Past { at_ms, bad, events, cells, bad_cells } = live.past;
    let mut processes = [0; RATIO + DIFFERENCE];
    let logs = live.processes.ratio.iter().chain(&live.processes.difference);
    for (place, process) in processes.iter_mut().zip(logs) {
        *place = rounded_down(process.log_mixture);
    }
    let (mut gained, mut gains) = (0, Vec::new());
    for component in 0..CAPPED {
        let units = live.episode.0.iter().filter_map(|past| past.units.get(component));
        let sum: u32 = units.map(|units| u32::from(units.max(&0).unsigned_abs())).sum();
        if sum > 0 {
            gained |= 1 << component;
            // Beyond what a component may gain in an episode all is the same.
            gains.push(u8::try_from(sum).map_or(GAIN_MAX, |sum| sum.min(GAIN_MAX)));
        }
    }
    CompactLive {
        begun: distance(live.time.begun_ms, base_ms),
        windows: live.time.windows,
        until: distance(at_ms, base_ms),
        past: [bad, events, cells, bad_cells].map(short),
        processes,
        gained,
        gains,
        pods_variance: live.pods_variance.map(|variance| short_up(variance.into())),
        canary: live.canary,
        stable: live.stable,
    }
}

fn restored(place: CompactPlace, base_ms: i64) -> Place {
    match place {
        CompactPlace::Live(live) => Place::Live(Box::new(restored_live(&live, base_ms))),
        CompactPlace::Finished { ratio, difference, canary, stable } => {
            Place::Finished { ratio: nats(ratio), difference: nats(difference), canary, stable }
        }
    }
}

fn restored_live(live: &CompactLive, base_ms: i64) -> Live {
    let [bad, events, cells, bad_cells] = live.past.map(long);
    let at_ms = time(live.until, base_ms);
    let mut processes = Processes::default();
    let all = processes.ratio.iter_mut().chain(&mut processes.difference);
    for (process, parts) in all.zip(live.processes) {
        *process = Process { log_mixture: nats(parts) };
    }
    let mut units = [0; CAPPED];
    let mut gains = live.gains.iter();
    for (component, units) in units.iter_mut().enumerate() {
        if live.gained & (1 << component) != 0 {
            let gain = gains.next().copied().unwrap_or(GAIN_MAX);
            *units = i8::try_from(gain).unwrap_or(i8::MAX);
        }
    }
    let episode = if live.gained == 0 {
        Episode::default()
    } else {
        Episode(vec![Gains { first_ms: at_ms, rest_ms: 0, units }])
    };
    Live {
        time: Time { begun_ms: time(live.begun, base_ms), windows: live.windows },
        past: Past { at_ms, bad, events, cells, bad_cells },
        processes,
        episode,
        #[expect(clippy::cast_possible_truncation, reason = "it has the digits of half a float")]
        pods_variance: live.pods_variance.map(|variance| long(variance) as f32),
        canary: live.canary,
        stable: live.stable,
    }
}

/// A time as its distance from the base, from 1; 0 stays 0, which is no time.
fn distance(ms: i64, base_ms: i64) -> i64 {
    if ms == 0 { 0 } else { ms.saturating_sub(base_ms).saturating_add(1) }
}

fn time(distance: i64, base_ms: i64) -> i64 {
    if distance == 0 { 0 } else { base_ms.saturating_add(distance).saturating_sub(1) }
}

#[expect(clippy::cast_possible_truncation, reason = "as saturates; nobody has 30 million nats")]
fn rounded_down(nats: f64) -> i32 {
    (nats * PARTS_OF_NAT).floor() as i32
}

fn nats(parts: i32) -> f64 {
    f64::from(parts) / PARTS_OF_NAT
}

/// A sum, which is never negative, in sixteen bits: those of a short float behind its sign.
#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn short(sum: f64) -> [u8; 2] {
    let bits = (sum.clamp(0.0, f64::from(f32::MAX) / 2.0) as f32).to_bits();
    // To the nearest: the highest half of what is cut off is carried.
    let rounded = (bits >> 15) + ((bits >> 14) & 1);
    (rounded as u16).to_le_bytes()
}

/// The same, never below: what pods differ by speaks for the release.
fn short_up(sum: f64) -> [u8; 2] {
    let nearest = short(sum);
    if long(nearest) >= sum {
        return nearest;
    }
    u16::from_le_bytes(nearest).saturating_add(1).to_le_bytes()
}

fn long(bytes: [u8; 2]) -> f64 {
    f64::from(f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 15))
}
