//! What a process used, as Linux counts it in `/proc`. Elsewhere nothing is known.

use std::fs;

/// CPU time is counted in hundredths of a second (`USER_HZ`, the same on every architecture of Linux that
/// Rust builds for).
const TICKS_PER_SECOND: f64 = 100.0;

/// A process that is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) id: i32,
    /// Whether its children count, too: PostgreSQL has one per connection, `spin up` one that serves.
    pub(crate) with_children: bool,
}

impl Process {
    /// Seconds of CPU time so far, of user and system.
    pub(crate) fn cpu(self) -> Option<f64> {
        let own = Stat::read(self.id)?;
        if !self.with_children {
            return Some(own.own);
        }
        let children: f64 = self.children().map(|(_, stat)| stat.own).sum();
        Some(own.own + own.reaped + children)
    }

    /// Lets [`Process::peak`] start anew.
    pub(crate) fn forget_peak(self) {
        for id in self.family() {
            // Where that is not allowed, the peak is that of the process's whole life.
            _ = fs::write(format!("/proc/{id}/clear_refs"), "5");
        }
    }

    /// The most memory in MiB that was resident at once, of each process by itself.
    pub(crate) fn peak(self) -> Option<f64> {
        self.family().into_iter().map(peak).sum()
    }

    fn family(self) -> Vec<i32> {
        let mut family = vec![self.id];
        if self.with_children {
            family.extend(self.children().map(|(id, _)| id));
        }
        family
    }

    fn children(self) -> impl Iterator<Item = (i32, Stat)> {
        processes()
            .filter_map(|id| Some((id, Stat::read(id)?)))
            .filter(move |(_, stat)| stat.parent == self.id)
    }
}

fn peak(id: i32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

struct Stat {
    parent: i32,
    own: f64,
    /// Of children that have ended.
    reaped: f64,
}

impl Stat {
    fn read(id: i32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// The fields are numbered in proc(5); the name, in parentheses, may contain anything.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let seconds = |field: usize| -> Option<f64> {
            let ticks: f64 = fields.get(field - 3)?.parse().ok()?;
            Some(ticks / TICKS_PER_SECOND)
        };
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: seconds(14)? + seconds(15)?,
            reaped: seconds(16)? + seconds(17)?,
        })
    }
}

fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_behind_a_name_that_may_contain_anything() {
        let stat = "7 (a) b) S 3 7 7 0 -1 0 0 0 0 0 150 50 25 75 20 0 1 0";
        let stat = Stat::parse(stat).unwrap();
        assert_eq!(stat.parent, 3);
        assert!((stat.own - 2.0).abs() < 1e-9);
        assert!((stat.reaped - 1.0).abs() < 1e-9);
    }
}
