//! The time, from a clock that wraps.

use core::{
    future::{Future, pending},
    time::Duration,
};

use websocket_proto::Limit;

/// The most that a pause counts in which no method is awaited, in milliseconds.
const PAUSE: u32 = 1000;
/// The longest wait, in milliseconds. It is shorter than the clock takes to wrap.
const LONGEST: u32 = u32::MAX >> 1;

/// A clock that counts milliseconds and can wait.
///
/// ```
/// use websocket_proto_embedded::Clock;
/// # mod embassy_time {
/// #     pub struct Instant; pub struct Duration; pub struct Timer;
/// #     impl Instant { pub fn now() -> Self { Instant } pub fn as_millis(&self) -> u64 { 5_000_000_000 } }
/// #     impl Duration { pub fn from_millis(_: u64) -> Self { Duration } }
/// #     impl Timer { pub async fn after(_: Duration) {} }
/// # }
///
/// /// The clock of Embassy.
/// struct Embassy;
///
/// impl Clock for Embassy {
///     fn millis(&mut self) -> u32 {
///         embassy_time::Instant::now().as_millis() as u32
///     }
///
///     async fn delay(&mut self, millis: u32) {
///         embassy_time::Timer::after(embassy_time::Duration::from_millis(millis.into())).await;
///     }
/// }
/// # assert_eq!(Embassy.millis(), 705_032_704);
/// ```
#[doc(alias("timer", "instant", "embassy_time"))]
pub trait Clock {
    /// Returns the milliseconds since any origin, modulo 2^32. The count wraps every 49 days, which
    /// does no harm. A step back counts as no time.
    fn millis(&mut self) -> u32;

    /// Waits for this long. The future may be dropped before.
    fn delay(&mut self, millis: u32) -> impl Future<Output = ()>;
}

impl<C: Clock> Clock for &mut C {
    fn millis(&mut self) -> u32 {
        C::millis(self)
    }

    fn delay(&mut self, millis: u32) -> impl Future<Output = ()> {
        C::delay(self, millis)
    }
}

/// The time that a connection sees: that of its clock, without long pauses.
pub(crate) struct Time<C> {
    clock: C,
    /// What the clock said last.
    latest: u32,
    /// Milliseconds since the beginning. They do not wrap.
    now: u64,
}

impl<C: Clock> Time<C> {
    pub(crate) fn new(mut clock: C) -> Self {
        let latest = clock.millis();
        Time { clock, latest, now: 0 }
    }

    /// Reads the clock, and returns the time.
    pub(crate) fn tick(&mut self) -> Duration {
        self.pass(u32::MAX)
    }

    /// Reads the clock after a pause.
    pub(crate) fn resume(&mut self) {
        self.pass(PAUSE);
    }

    fn pass(&mut self, most: u32) -> Duration {
        let millis = self.clock.millis();
        // No wait is longer than half of the clock's range, so what looks longer is a step back.
        let passed = match millis.wrapping_sub(self.latest) {
            LONGEST.. => 0,
            passed => passed.min(most),
        };
        self.latest = millis;
        self.now = self.now.saturating_add(passed.into());
        Duration::from_millis(self.now)
    }

    /// Waits until the deadline, as of the latest tick.
    pub(crate) async fn until(&mut self, deadline: Option<(Duration, Limit)>) {
        let Some((at, _)) = deadline else { return pending().await };
        let part = u64::from(at.subsec_nanos().div_ceil(1_000_000));
        let at = at.as_secs().saturating_mul(1000).saturating_add(part);
        let rest = u32::try_from(at.saturating_sub(self.now)).unwrap_or(LONGEST);
        self.clock.delay(rest.min(LONGEST)).await;
    }
}
