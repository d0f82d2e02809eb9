//! Every fault that the simulation knows, and which of them a seed uses.

use crate::rng::Rng;

macro_rules! faults {
    ($($name:ident = $text:literal,)*) => {
        /// A fault; each is counted when it took effect.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault { $($name,)* }

        impl Fault {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns what people call it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

faults! {
    Drop = "message dropped",
    Duplicate = "message duplicated",
    Reorder = "message reordered",
    GatePartition = "gate link partitioned",
    BrokerPartition = "broker link partitioned",
    OneWay = "gate link partitioned one way",
    LateBroker = "broker link late by seconds",
    GuardStop = "guard stopped and continued",
    GateStop = "gate stopped and continued",
    HostSuspend = "host suspended",
    GuardKill = "guard killed",
    KillAtTrip = "guard killed between two actions of a trip",
    KillAnywhere = "guard killed between two actions",
    GateKill = "gate killed",
    PowerLoss = "power lost",
    TornWrite = "write torn by power loss",
    DiskSlow = "disk slow",
    DiskHung = "disk hung",
    DiskError = "disk write failed",
    WallForward = "wall clock stepped forward",
    WallBack = "wall clock stepped back",
    PageLost = "halt page removed",
    BadSnapshot = "snapshot without money",
    ForeignSnapshot = "snapshot of another account",
    BrokerSilent = "broker silent",
    Hole = "error message lost",
    Breach = "loss limit broken",
    ManualWord = "manual word set",
    HaltFile = "HALT file created",
    ManualHalt = "halt commanded",
    BadResume = "resume without right",
    ReplayedResume = "resume replayed",
    CleanStop = "guard stopped cleanly and restarted",
    NotFlat = "flatten that takes long",
    Exposure = "exposure on a halted account",
    Beside = "halt beside a resume under way",
    FeedSilent = "required feed silent",
    WordBeside = "manual word set within a resume",
}

/// Which faults a seed uses.
#[derive(Clone, Copy, Debug)]
pub struct Plan(u64);

impl Plan {
    /// Chooses a subset: few, many or all kinds, so that no fault always hides another.
    pub fn of(rng: &mut Rng) -> Self {
        let share = [100, 250, 500, 900][rng.range(0, 4) as usize];
        let mut bits = 0;
        for fault in Fault::ALL {
            bits |= u64::from(rng.chance(share)) << (*fault as u64);
        }
        // Without anything to halt for, most promises are idle.
        let reasons = [
            Fault::Breach,
            Fault::ManualHalt,
            Fault::ManualWord,
            Fault::HaltFile,
        ];
        Self(bits | 1 << (reasons[rng.range(0, 4) as usize] as u64))
    }

    pub const fn has(self, fault: Fault) -> bool {
        self.0 >> (fault as u64) & 1 == 1
    }

    /// Takes faults out: what an older seed is replayed without, or a test leaves out.
    #[must_use]
    pub const fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << (fault as u64)))
    }
}
