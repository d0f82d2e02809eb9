//! Planted bugs: each breaks one rule of the model's shell, and the campaign must find every one.

macro_rules! plants {
    ($($name:ident = $text:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Plant { $($name,)* }

        impl Plant {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

plants! {
    ArrivalLease = "a gate's lease runs from the echo's arrival",
    NoLease = "a gate trusts the last echo for ever",
    UnstickyGate = "a gate forgets its latch with a new run",
    PushRenews = "a push renews a gate's lease",
    OldEchoReopens = "an echo asked for before a push reopens what it closed",
    PushForgotten = "a gate does not latch a halt that was pushed",
    PersistFirst = "the page waits for the disk",
    PageIgnored = "a start does not ask the page",
    NewestCopyOnly = "a start believes the newest copy alone",
    DoubtIgnored = "a start ignores a torn or missing copy",
    BootIgnored = "a start after power loss asks nobody",
    ManualIgnored = "a start does not look at the manual word",
    PageKeptOpen = "a start leaves the page as it was until it is done",
    FreeBeat = "heartbeats go on while the guard is stopped",
    EarnedBeforeLook = "echoes are earned before the guard saw that it was away",
    AwayUnnoticed = "a guard that was away goes on with what it knows",
    SnapshotByArrival = "a snapshot is fresh because it arrived",
    LateAnswer = "an answer counts however late it is",
    HoleIgnored = "a lost message is no reason to pause",
    HoleByAnyRead = "a read that was under way covers a lost message",
    MoneyIgnored = "a snapshot without money is a good one",
    IdentityIgnored = "a snapshot of another account is a good one",
    ResumeBeforeDisk = "a resume is announced before it is on disk",
    ResumeOnOneCopy = "a resume waits for one copy only",
    ResumeNotVoid = "a halt does not void a resume under way",
    ResumeUnchecked = "a resume needs neither operator nor flat",
    WordIfFree = "a manual word is set only where there is none",
    WordPlainClear = "a resume clears the manual word by a plain store",
    NonceIgnored = "a replayed command is carried out again",
    SecondHaltWins = "a second halt replaces the first one's id",
    DurableTooEarly = "DURABLE is said before the disk",
    MarkedByAnyPage = "a page of a start that died speaks for the run before",
    StopResumes = "a clean stop completes a resume that nobody was told of",
    DurableThroughVoid = "a halt stays DURABLE while a resume is written",
    EpochByWall = "a run's number is the wall clock alone",
    FeedIgnored = "a word to a gate is earned without asking the feeds",
    FeedStamps = "a silent feed pauses, and the page is stamped all the same",
    FeedByBeat = "an echo asks the feeds by the last beat's look",
    FeedHeld = "the pause of a silent feed is never released",
    WallDurations = "durations run on the wall clock",
}
