//! The stable hash of key columns.

use keymill_kernels::HashSeed;

use super::*;
use crate::expr::without_dictionary;
use crate::keys::hash_keys;
use crate::state::fixtures::{KEYS, cell};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_key_has_one_hash_in_every_layout_and_company(
        of in proptest::sample::select(KEYS.to_vec()),
        seed in any::<u64>(),
        nulls in proptest::collection::vec(proptest::bool::weighted(0.3), 40),
        picks in proptest::collection::vec(any::<proptest::sample::Index>(), 40),
        two in any::<bool>(),
    ) {
        let cells = some_cells(&of);
        let cells: Vec<Cell> = nulls.iter().zip(&picks).map(|(null, pick)| match null {
            true => Cell::Null,
            false => pick.get(&cells).clone(),
        }).collect();
        let hashes = |cells: &[Cell], form: Form, of: &DataType| {
            let column = without_dictionary(&column(of, cells, form)).unwrap();
            let keys = match two {
                true => vec![column.clone(), column],
                false => vec![column],
            };
            hashes_of(HashSeed(seed), &keys)
        };
        let wanted = hashes(&cells, Form::Plain, &of);
        for form in [Form::Sliced, Form::Dictionary] {
            prop_assert_eq!(&hashes(&cells, form, &of), &wanted);
        }
        for (row, hash) in wanted.iter().enumerate() {
            prop_assert_eq!(&hashes(&cells[row..=row], Form::Plain, &of), &[*hash]);
        }
        let is_text = matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let bytes = [DataType::Binary, DataType::LargeBinary, DataType::BinaryView];
        for other in is_text.then_some(bytes).into_iter().flatten() {
            prop_assert_eq!(&hashes(&cells, Form::Plain, &other), &wanted);
        }
    }
}

fn some_cells(of: &DataType) -> Vec<Cell> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let tree = |_| cell(of).new_tree(&mut runner).unwrap().current();
    (0..30).map(tree).collect()
}

fn hashes_of(seed: HashSeed, keys: &[ArrayRef]) -> Vec<u64> {
    let mut all = Vec::new();
    for level in Level::available() {
        let mut hashes = vec![9];
        hash_keys(level, seed, keys, &mut hashes).unwrap();
        all.push(hashes);
    }
    let first = all.remove(0);
    assert!(all.iter().all(|hashes| *hashes == first));
    first
}

#[test]
fn hashes_of_columns_stay_as_they_are() {
    let seed = HashSeed(0x0706_0504_0302_0100);
    let mut found = Vec::new();
    for of in &KEYS[..15] {
        let cells = match crate::state::fixtures::ends(of) {
            Some((least, most)) => vec![Cell::Int(least), Cell::Int(most), Cell::Null],
            None => vec![
                Cell::Bytes(vec![]),
                Cell::Bytes(b"keymill".to_vec()),
                Cell::Null,
            ],
        };
        let key = column(of, &cells, Form::Plain);
        found.push(hashes_of(seed, &[key]));
    }
    let one: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("")]));
    let two: ArrayRef = Arc::new(Int32Array::from(vec![Some(-1), Some(7), None]));
    found.push(hashes_of(seed, &[one.clone(), two.clone()]));
    found.push(hashes_of(seed, &[two, one]));
    assert_eq!(found, GOLDEN, "{found:#x?}");
}

/// For each of these types the smallest value, the largest and null, or the empty key, `keymill` and
/// null; then two columns in either order.
const GOLDEN: [[u64; 3]; 17] = [
    [
        0x7495_a090_6e48_b490,
        0x03f5_aa93_a46a_9313,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0xe5db_da41_f030_57ff,
        0x7185_3613_342a_e7e2,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0xfadf_b7cf_6b04_0684,
        0x91f7_f436_eaf1_1fc6,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0x4ec2_61ac_f2e9_6613,
        0x4ee7_01c8_8af5_a62e,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0x9733_d36f_8d74_e887,
        0xaa41_08d7_f74d_9ae3,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0xe1cd_918b_a2f3_5e12,
        0x31ca_175c_6dfa_0329,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0x7f7b_b15a_4104_8e7f,
        0xc039_5a6d_a208_3c07,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0x7924_2260_64ce_cae0,
        0xe513_037c_dfcd_5313,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0x9733_d36f_8d74_e887,
        0xfc5c_dc75_67e4_ab6c,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0x2af7_2023_21d0_a576,
        0x12e9_d618_eee2_0ad2,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0x2af7_2023_21d0_a576,
        0x12e9_d618_eee2_0ad2,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0x2af7_2023_21d0_a576,
        0x12e9_d618_eee2_0ad2,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0x2af7_2023_21d0_a576,
        0x12e9_d618_eee2_0ad2,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0x2af7_2023_21d0_a576,
        0x12e9_d618_eee2_0ad2,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0x2af7_2023_21d0_a576,
        0x12e9_d618_eee2_0ad2,
        0xfc5c_dc75_67e4_ab6c,
    ],
    [
        0xd059_c556_feda_e431,
        0x7cc3_2011_1443_d83f,
        0x6b2e_bff6_7af2_8420,
    ],
    [
        0x9ee2_3c5c_c627_bce7,
        0x2f89_ad93_78a5_2f41,
        0x5b98_9ddc_f1c5_d082,
    ],
];

#[test]
fn hashes_of_dates_and_floats_are_those_of_integers_in_their_order() {
    let seed = HashSeed(3);
    let cells: Vec<Cell> = [-7, 0, 1 << 20].map(Cell::Int).to_vec();
    for (of, stored) in [
        (DataType::Date32, DataType::Int32),
        (DataType::Decimal64(10, 2), DataType::Int64),
        (
            DataType::Timestamp(arrow_schema::TimeUnit::Second, None),
            DataType::Int64,
        ),
    ] {
        let [one, other] = [of, stored].map(|of| column(&of, &cells, Form::Plain));
        assert_eq!(hashes_of(seed, &[one]), hashes_of(seed, &[other]));
    }
    let floats: ArrayRef = Arc::new(arrow_array::Float64Array::from(vec![-0.0, 0.0, 2.5]));
    let bits = [0, 0, 2.5f64.to_bits() as i64];
    let integers: ArrayRef = Arc::new(Int64Array::from(bits.to_vec()));
    assert_eq!(hashes_of(seed, &[floats]), hashes_of(seed, &[integers]));
}
