//! What the demo shows, as data: resources, what is done, and what has to be seen. Nothing runs here.

use crate::tally::Expected;

/// One state of the release.
pub(crate) struct Step {
    /// Said above it.
    pub(crate) title: &'static str,
    /// All resources of the user from this step on, replacing those of the step before.
    pub(crate) resources: &'static [Resources],
    /// What the sidecar's configuration contains once they have arrived.
    pub(crate) arrived: &'static [&'static str],
    /// What is done then, in order.
    pub(crate) deeds: &'static [Deed],
}

/// A file in this directory.
pub(crate) struct Resources {
    pub(crate) file: &'static str,
    pub(crate) text: &'static str,
}

pub(crate) enum Deed {
    /// Calls, one after the other.
    Call {
        by: Caller,
        count: u32,
        command: &'static str,
        expected: Expected,
    },
    /// SIGKILL: nobody is told.
    Kill(&'static str),
    /// This instance has been taken out by the sidecar, and calls were retried before.
    Ejected(&'static str),
    /// The registry, too, has noticed, and the mesh no longer knows the instance.
    Forgotten(&'static str),
}

/// The consumers, by what they refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Caller {
    /// `com.acme.Greeter`
    Greeter,
    /// `com.acme.Greeter` 1.0.0
    Version1,
    /// `com.acme.Orders`
    Orders,
}

impl Caller {
    /// What it calls.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::Greeter => "Greeter",
            Self::Version1 => "Greeter 1.0.0",
            Self::Orders => "Orders",
        }
    }
}

/// The instances of the release, as they answer.
pub(crate) const INSTANCES: [&str; 3] = ["v1", "v2", "v2b"];
const NEW: &[&str] = &["v2", "v2b"];

macro_rules! file {
    ($file:literal) => {
        Resources {
            file: concat!("tests/demo/", $file),
            text: include_str!($file),
        }
    };
}

const fn greet(count: u32, expected: Expected) -> Deed {
    Deed::Call {
        by: Caller::Greeter,
        count,
        command: "greet World",
        expected,
    }
}

const fn greet_gray(by: Caller, expected: Expected) -> Deed {
    Deed::Call {
        by,
        count: 20,
        command: "greet World region=gray",
        expected,
    }
}

const fn greet_1(count: u32, expected: Expected) -> Deed {
    Deed::Call {
        by: Caller::Version1,
        count,
        command: "greet World",
        expected,
    }
}

const ORDER: Deed = Deed::Call {
    by: Caller::Orders,
    count: 10,
    command: "place Tea",
    expected: Expected::Each(&["orders"]),
};

const V1: Expected = Expected::Each(&["v1"]);
const V2: Expected = Expected::Each(NEW);
const V2_ALONE: Expected = Expected::Each(&["v2"]);

/// The three parts, each with its title.
pub(crate) const PARTS: [(&str, &[Step]); 3] = [
    ("Two releases of one service, told apart by a label", &LABEL),
    (
        "Two Dubbo versions of a service: its consumer asks for 1.0.0, and knows of nothing else",
        &VERSION,
    ),
    ("An instance dies", &DEATH),
];

const LABEL: [Step; 5] = [
    Step {
        title: "Nothing applied: the mesh balances over all three",
        resources: &[],
        arrived: &[],
        deeds: &[greet(60, Expected::Each(&INSTANCES)), ORDER],
    },
    Step {
        title: "All calls to v1; another service is not touched",
        resources: &[file!("label/subsets.yaml"), file!("label/all-v1.yaml")],
        arrived: &["label-all-v1"],
        deeds: &[greet(40, V1), ORDER],
    },
    Step {
        title: "Calls with the attachment region=gray to v2",
        resources: &[file!("label/subsets.yaml"), file!("label/gray.yaml")],
        arrived: &["label-gray"],
        deeds: &[greet(40, V1), greet_gray(Caller::Greeter, V2)],
    },
    Step {
        title: "20 % of all calls to v2",
        resources: &[file!("label/subsets.yaml"), file!("label/percent.yaml")],
        arrived: &["label-percent"],
        deeds: &[greet(
            200,
            Expected::Share {
                of: NEW,
                percent: 20,
            },
        )],
    },
    Step {
        title: "All calls to v2",
        resources: &[file!("label/subsets.yaml"), file!("label/all-v2.yaml")],
        arrived: &["label-all-v2"],
        deeds: &[greet(40, V2)],
    },
];

const VERSION: [Step; 4] = [
    Step {
        title: "Nothing applied: 1.0.0 is v1's alone",
        resources: &[],
        arrived: &[],
        deeds: &[greet_1(20, V1)],
    },
    Step {
        title: "Calls with the attachment region=gray to 2.0.0, which is v2's alone",
        resources: &[file!("version/gray.yaml")],
        arrived: &["version-gray"],
        deeds: &[greet_1(40, V1), greet_gray(Caller::Version1, V2_ALONE)],
    },
    Step {
        title: "20 % of all calls to 2.0.0",
        resources: &[file!("version/percent.yaml")],
        arrived: &["version-percent"],
        deeds: &[greet_1(
            200,
            Expected::Share {
                of: &["v2"],
                percent: 20,
            },
        )],
    },
    Step {
        title: "All calls to 2.0.0",
        resources: &[file!("version/all-v2.yaml")],
        arrived: &["version-all-v2"],
        deeds: &[greet_1(40, V2_ALONE)],
    },
];

const DEATH: [Step; 1] = [Step {
    title: "v2 is killed: no call fails, and it gets no more of them",
    resources: &[file!("label/resilient.yaml")],
    arrived: &["label-resilient", "\"consecutive_5xx\": 3"],
    deeds: &[
        greet(40, V2),
        Deed::Kill("v2"),
        greet(60, Expected::Each(&["v2b"])),
        Deed::Ejected("v2"),
        Deed::Forgotten("v2"),
    ],
}];
