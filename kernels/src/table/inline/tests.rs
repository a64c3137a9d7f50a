//! A growing table is not crowded.

use super::*;

#[test]
#[cfg_attr(miri, ignore = "a statistic, without unsafe code of its own")]
fn keys_in_hash_order_of_another_table_do_not_crowd() {
    let tuning = Tuning {
        table_slots: 64,
        ..Tuning::DEFAULT
    };
    let keys = 100_000;
    let mut one = InlineTable::<u64>::new(&tuning, HashKey::from_seed(3));
    (1..=keys).for_each(|key: u64| one.add(key << 24, key));
    let mut other = InlineTable::<u64>::new(&tuning, HashKey::from_seed(3));
    let mut far = 0;
    for slot in one.slots.iter().filter(|slot| !slot.key.is_free()) {
        other.add(slot.key, slot.value);
        let home = other.home(slot.key);
        let run = other.slots.iter().cycle().skip(home);
        let from_home = run.take_while(|there| there.key != slot.key).count();
        far += usize::from(from_home > FAR_FROM_HOME);
    }
    assert_eq!(other.len(), one.len());
    assert!(far * 20 < one.len(), "{far} keys are far from home");
}
