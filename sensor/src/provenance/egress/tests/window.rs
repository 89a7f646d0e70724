use super::super::window::{Day, Window};
use proptest::prelude::*;

type Small = Window<5, 10>;

/// What a window of `n` buckets of `width` holds at the end: by looking at everything that was ever added.
fn naive(added: &[(u64, u64)], n: u64, width: u64) -> (u64, Option<u64>) {
    let mut now = 0;
    let mut by_bucket = std::collections::BTreeMap::<u64, u64>::new();
    for (time, bytes) in added {
        // What comes late counts as now.
        now = now.max(time / width);
        *by_bucket.entry(now).or_default() += bytes;
    }
    let kept = by_bucket.iter().filter(|(bucket, _)| now - **bucket < n);
    let usual = kept.clone().filter(|(bucket, _)| **bucket != now).map(|(_, bytes)| *bytes).max();
    (kept.map(|(_, bytes)| bytes).sum(), usual.filter(|most| *most > 0))
}

fn steps() -> impl Strategy<Value = Vec<(u64, u64)>> {
    // Mostly forwards, by less than a bucket up to much more than all of them; now and then back.
    let step = prop_oneof![5 => 0_i64..12, 3 => 0_i64..60, 1 => 50_i64..5_000, 1 => -100_i64..0];
    proptest::collection::vec((step, 0_u64..1_000), 0..60).prop_map(|steps| {
        let mut time = 1_000_i64;
        let at = |(step, bytes): (i64, u64)| {
            time = (time + step).max(0);
            (time.unsigned_abs(), bytes)
        };
        steps.into_iter().map(at).collect()
    })
}

proptest! {
    #[test]
    fn the_sum_is_that_of_a_naive_reference(added in steps()) {
        let mut window = Small::default();
        for (count, (time, bytes)) in added.iter().enumerate() {
            window.add(*time, *bytes);
            let so_far = added.get(..=count).unwrap_or_default();
            let (sum, usual) = naive(so_far, 5, 10);
            prop_assert_eq!(window.sum(*time), sum);
            prop_assert_eq!(window.usual(*time), usual);
        }
    }

    #[test]
    fn what_is_saved_comes_back(added in steps(), later in 0_u64..100) {
        let mut window = Small::default();
        added.iter().for_each(|(time, bytes)| window.add(*time, *bytes));
        let time = added.iter().map(|(time, _)| *time).max().unwrap_or(0) + later;
        let mut restored = Small::restored(&window.saved(), time);
        prop_assert_eq!(restored.sum(time), window.sum(time));
        prop_assert_eq!(restored.saved(), window.saved());
        window.add(time + 7, 3);
        restored.add(time + 7, 3);
        prop_assert_eq!(restored, window);
    }

    #[test]
    fn merged_is_as_if_added_to_one(one in steps(), other in steps()) {
        let (mut a, mut b, mut both) = (Small::default(), Small::default(), Small::default());
        let end = one.iter().chain(&other).map(|(time, _)| *time).max().unwrap_or(0);
        // In order, since what comes late counts as now.
        let mut all: Vec<_> = one.iter().map(|s| (s, 0)).chain(other.iter().map(|s| (s, 1))).collect();
        all.sort_by_key(|((time, _), _)| *time);
        for ((time, bytes), which) in all {
            both.add(*time, *bytes);
            if which == 0 { a.add(*time, *bytes) } else { b.add(*time, *bytes) }
        }
        a.merge(&b);
        prop_assert_eq!(a.sum(end), both.sum(end));
    }
}

#[test]
fn nothing_overflows() {
    let mut day = Day::default();
    day.add(u64::MAX, u64::MAX);
    day.add(u64::MAX, u64::MAX);
    assert_eq!(day.sum(u64::MAX), u64::MAX);
    day.merge(&day.clone());
    let mut restored = Day::restored(&crate::event::SavedWindow(vec![(u64::MAX, 5), (0, 5), (7, u64::MAX)]), 8 * 3_600);
    assert_eq!(restored.sum(0), u64::MAX, "bucket 7 of hours 0 to 8, and 0 is in it as well");
    assert_eq!(restored.sum(100 * 3_600), 0);
}
