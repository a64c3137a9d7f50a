//! Validates all shaders with naga, without a driver: they use only what WebGPU guarantees, and
//! their parameters have the same layout as the Rust structs.
#![forbid(unsafe_code)]

use keymill_shaders::{
    Binding, COUNT_HEAD_WORDS, COUNT_TOKENS, CountGroup, CountParams, CountReport,
    HashPartitionParams, LANE_BYTES, LISTED_SLOTS, PARTITION_DIGITS, PARTITION_TILE_ROWS,
    Permutation, REDUCE_TILE_ROWS, ReduceByKeyParams, ReduceByKeySummary, ReducedGroup,
    SelfTestAnswers, SelfTestParams, Shader, Stage, TILE_BYTES, TokenizeParams, TokenizeSummary,
};
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn parse(shader: &Shader) -> naga::Module {
    naga::front::wgsl::parse_str(shader.wgsl()).unwrap_or_else(|error| {
        let line = error.location(shader.wgsl()).map_or(1, |at| at.line_number);
        panic!("{:?}: {}", shader.place_of(line), error.message())
    })
}

fn module(stage: Stage) -> naga::Module {
    parse(&Shader::compose(stage))
}

/// Returns the shaders of all stages in all permutations.
fn shaders() -> impl Iterator<Item = (Permutation, Shader)> {
    Permutation::ALL.into_iter().flat_map(|permutation| {
        let compose = move |stage| (permutation, Shader::compose_for(stage, permutation));
        Stage::ALL.into_iter().map(compose)
    })
}

/// Returns the naga capabilities that a permutation needs, and no others.
fn capabilities(permutation: Permutation) -> Capabilities {
    let mut has = Capabilities::empty();
    has.set(Capabilities::SUBGROUP, permutation.subgroups);
    has.set(
        Capabilities::SHADER_INT64 | Capabilities::SHADER_INT64_ATOMIC_ALL_OPS,
        permutation.wide_atomics,
    );
    has
}

fn is_valid(shader: &Shader, has: Capabilities) -> Result<(), String> {
    let mut validator = Validator::new(ValidationFlags::all(), has);
    let checked = validator.validate(&parse(shader));
    checked.map(drop).map_err(|error| format!("{error:?}"))
}

#[test]
fn base_shaders_need_only_core_wgsl() {
    for stage in Stage::ALL {
        let shader = Shader::compose(stage);
        assert!(!parse(&shader).entry_points.is_empty());
        assert_eq!(
            is_valid(&shader, Capabilities::empty()),
            Ok(()),
            "{stage:?}"
        );
    }
}

#[test]
fn permutations_need_only_their_own_features() {
    for (permutation, shader) in shaders() {
        let stage = shader.stage();
        assert!(!parse(&shader).entry_points.is_empty());
        let has = capabilities(permutation);
        assert_eq!(is_valid(&shader, has), Ok(()), "{stage:?}: {permutation}");
    }
}

/// Returns the features that a stage's shader makes use of.
fn features_of(stage: Stage) -> Permutation {
    Permutation {
        subgroups: stage != Stage::SelfTest,
        wide_atomics: REDUCING.contains(&stage),
    }
}

#[test]
fn permutations_use_their_features() {
    for (permutation, shader) in shaders() {
        let stage = shader.stage();
        let uses = features_of(stage);
        let has_none = Permutation::BASE;
        let [without_subgroups, without_wide] = [
            Permutation {
                subgroups: false,
                ..permutation
            },
            Permutation {
                wide_atomics: false,
                ..permutation
            },
        ];
        for (without, is_used) in [
            (without_subgroups, uses.subgroups && permutation.subgroups),
            (without_wide, uses.wide_atomics && permutation.wide_atomics),
        ] {
            let is_same = Shader::compose_for(stage, without).wgsl() == shader.wgsl();
            assert_eq!(is_same, !is_used, "{stage:?}: {permutation}");
            let is_enough = is_valid(&shader, capabilities(without)).is_ok();
            assert_eq!(is_enough, !is_used, "{stage:?}: {permutation}");
        }
        let differs = uses.subgroups && permutation.subgroups
            || uses.wide_atomics && permutation.wide_atomics;
        let is_base = Shader::compose_for(stage, has_none).wgsl() == shader.wgsl();
        assert_eq!(is_base, !differs, "{stage:?}: {permutation}");
    }
}

#[test]
fn naga_rejects_the_line_that_enables_subgroups() {
    // Browsers require that line, and `examples/compose.rs` adds it for them. When naga accepts it
    // and this test fails, the shader files can contain it.
    assert!(naga::front::wgsl::parse_str("enable subgroups;").is_err());
}

#[test]
fn a_shader_beyond_core_wgsl_is_rejected() {
    let wgsl = "enable f16; @compute @workgroup_size(1) fn main() { var x = 1h; }";
    let module = naga::front::wgsl::parse_str(wgsl).unwrap();
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
    assert!(validator.validate(&module).is_err());
}

/// Finds shifts next to `&`, `|` or `^` without parentheses, and different operators of these next
/// to each other. WGSL's grammar forbids both; browsers check this and naga does not.
fn bare_shifts(wgsl: &str) -> Vec<String> {
    let mut bare = Vec::new();
    for line in wgsl.lines() {
        let code = line.split("//").next().unwrap_or_default();
        let code = code.replace("&&", " ").replace("||", " ");
        // For each open parenthesis: whether it contains a shift, and its bitwise operator.
        let mut open: Vec<(bool, Option<u8>)> = vec![(false, None)];
        let bytes = code.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let is = |place: usize, other: u8| bytes.get(place) == Some(&other);
            let is_spaced = at > 0 && is(at - 1, b' ') && is(at + 1, b' ');
            let inner = open.len() - 1;
            match byte {
                b'<' | b'>' if is(at + 1, *byte) && is(at + 2, b' ') => open[inner].0 = true,
                b'&' | b'|' | b'^' if is_spaced => {
                    // Two different operators are as wrong as an operator next to a shift.
                    open[inner].0 |= open[inner].1.is_some_and(|other| other != *byte);
                    open[inner].1 = Some(*byte);
                }
                b'(' | b'[' => open.push((false, None)),
                b')' | b']' if open.len() > 1 => drop(open.pop()),
                b',' | b';' => open[inner] = (false, None),
                _ => {}
            }
            if matches!(open.last(), Some((true, Some(_)))) {
                bare.push(line.to_owned());
                break;
            }
        }
    }
    bare
}

#[test]
fn shifts_have_their_own_parentheses() {
    for (permutation, shader) in shaders() {
        let (stage, bare) = (shader.stage(), bare_shifts(shader.wgsl()));
        assert_eq!(bare, Vec::<String>::new(), "{stage:?}: {permutation}");
    }
    for wrong in [
        "let a = b >> 1u & c;",
        "f(a | b << (c * 8u), d)",
        "x[a ^ b >> 2u]",
        "let a = b & c | d;",
        "f(a ^ b & c)",
    ] {
        assert_eq!(bare_shifts(wrong).len(), 1, "{wrong}");
    }
    for right in [
        "let a = (b >> 1u) & c;",
        "f(a | b, c << 2u)",
        "a >>= 1u; b & c",
        "a & b & c, (a | b) & c",
        "a && b & c",
    ] {
        assert_eq!(bare_shifts(right).len(), 0, "{right}");
    }
}

#[test]
fn workgroups_keep_within_guaranteed_limits() {
    for (permutation, shader) in shaders() {
        let (stage, module) = (shader.stage(), parse(&shader));
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).unwrap();
        let shared = module
            .global_variables
            .iter()
            .filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup);
        let bytes: u32 = shared.map(|(_, variable)| layouter[variable.ty].size).sum();
        assert!(
            bytes <= 16 << 10,
            "{stage:?} uses {bytes} bytes of workgroup memory: {permutation}"
        );
        for entry in &module.entry_points {
            let lanes: u32 = entry.workgroup_size.iter().product();
            assert!(lanes <= 256, "{}", entry.name);
        }
        let storage = module
            .global_variables
            .iter()
            .filter(|(_, variable)| matches!(variable.space, naga::AddressSpace::Storage { .. }));
        assert!(storage.count() <= 8, "{stage:?}");
    }
}

/// Returns the names and offsets of a struct's fields, and the size of the struct.
fn layout(stage: Stage, name: &str) -> (Vec<(String, u32)>, u32) {
    let module = module(stage);
    let (_, ty) = module
        .types
        .iter()
        .find(|(_, ty)| ty.name.as_deref() == Some(name))
        .unwrap();
    let naga::TypeInner::Struct { members, span } = &ty.inner else {
        panic!("{name} is not a struct");
    };
    let field = |member: &naga::StructMember| (member.name.clone().unwrap(), member.offset);
    (members.iter().map(field).collect(), *span)
}

macro_rules! mirrors {
    ($stage:expr, $name:literal, $type:ty { $($field:ident),* }) => {
        let mirror = vec![$((stringify!($field).to_owned(), std::mem::offset_of!($type, $field) as u32)),*];
        assert_eq!(layout($stage, $name), (mirror, size_of::<$type>() as u32));
    };
}

#[test]
fn parameters_have_the_layout_of_their_rust_structs() {
    mirrors!(
        Stage::SelfTest,
        "Asked",
        SelfTestParams {
            run,
            loops,
            pad_0,
            pad_1
        }
    );
    mirrors!(
        Stage::SelfTest,
        "Answers",
        SelfTestAnswers {
            rounds,
            added,
            greatest,
            disagreed,
            won,
            words,
            run
        }
    );
    mirrors!(
        Stage::Count,
        "Params",
        CountParams {
            slots,
            probes,
            longest,
            secret_0,
            secret_1,
            hash_mask,
            run,
            text_bytes,
            rounds,
            pad_0,
            pad_1,
            pad_2
        }
    );
    mirrors!(
        Stage::Count,
        "Report",
        CountReport {
            counted,
            left,
            groups,
            arena_used,
            lost,
            run,
            hot
        }
    );
    for stage in CUTTING {
        mirrors!(
            stage,
            "Params",
            TokenizeParams {
                text_bytes,
                records,
                tiles,
                capacity,
                run,
                separator_bytes,
                field,
                pad_0,
                separator
            }
        );
    }
    for stage in CUTTING.into_iter().chain([Stage::FusedCount]) {
        mirrors!(
            stage,
            "Summary",
            TokenizeSummary {
                starts,
                ends,
                token_bytes,
                other_bytes,
                rows,
                rejected,
                run
            }
        );
    }
}

/// The shaders that reduce rows by key.
const REDUCING: [Stage; 2] = [Stage::ReduceByKey, Stage::ReduceByKeyBytes];

/// The shaders that cut a text.
const CUTTING: [Stage; 5] = [
    Stage::Tokenize,
    Stage::TokenizeWords,
    Stage::TokenizeSplit,
    Stage::TokenizeField,
    Stage::Frame,
];

#[test]
fn shaders_that_cut_text_have_the_same_entry_points() {
    for stage in CUTTING {
        let module = module(stage);
        let has = |name: &str| module.entry_points.iter().any(|entry| entry.name == name);
        for entry in ["count_edges", "scan_tiles", "write_spans"] {
            assert!(has(entry), "{stage:?} has no {entry}");
        }
        let is_field = stage == Stage::TokenizeField;
        assert_eq!(has("count_parts") && has("scan_parts"), is_field);
    }
}

#[test]
fn row_parameters_have_the_layout_of_their_rust_structs() {
    mirrors!(
        Stage::HashPartition,
        "Params",
        HashPartitionParams {
            rows,
            key_words,
            partitions,
            tiles,
            shift,
            seed_low,
            seed_high,
            run
        }
    );
    for stage in REDUCING {
        mirrors!(
            stage,
            "Params",
            ReduceByKeyParams {
                rows,
                slots,
                chain,
                hash_mask,
                secret_0,
                secret_1,
                secret_2,
                run,
                longest,
                pad_0,
                pad_1,
                pad_2
            }
        );
        mirrors!(
            stage,
            "Summary",
            ReduceByKeySummary {
                groups,
                spilled,
                run
            }
        );
        mirrors!(
            stage,
            "Group",
            ReducedGroup {
                key_0,
                key_1,
                count,
                sum_0,
                sum_1,
                sum_2,
                min_low,
                min_high,
                max_low,
                max_high
            }
        );
    }
}

#[test]
fn bindings_match_the_host() {
    for (permutation, shader) in shaders() {
        let (stage, module) = (shader.stage(), parse(&shader));
        let mut found: Vec<_> = module
            .global_variables
            .iter()
            .filter_map(|(_, variable)| {
                let binding = variable.binding.as_ref()?;
                let how = match variable.space {
                    naga::AddressSpace::Uniform => Binding::Uniform,
                    naga::AddressSpace::Storage { access }
                        if access.contains(naga::StorageAccess::STORE) =>
                    {
                        Binding::Write
                    }
                    _ => Binding::Read,
                };
                assert_eq!(binding.group, 0);
                Some((binding.binding, how))
            })
            .collect();
        found.sort_by_key(|(at, _)| *at);
        let host: Vec<_> = (0..).zip(stage.bindings().iter().copied()).collect();
        assert_eq!(found, host, "{stage:?}: {permutation}");
    }
}

/// The host allocates the same number of bytes for a slot's state in all permutations.
#[test]
fn slot_states_have_the_same_size_in_all_permutations() {
    for (_, shader) in shaders().filter(|(_, it)| REDUCING.contains(&it.stage())) {
        let module = parse(&shader);
        let mut types = module.types.iter();
        let state = types.find(|(_, ty)| ty.name.as_deref() == Some("State"));
        let (_, ty) = state.unwrap();
        assert!(matches!(ty.inner, naga::TypeInner::Struct { span: 32, .. }));
    }
}

fn has_constants(stage: Stage, constants: &[(&str, usize)]) {
    let shader = Shader::compose(stage);
    for (name, value) in constants {
        let constant = format!("const {name}: u32 = {value}u;");
        assert!(shader.wgsl().contains(&constant), "{stage:?}: {constant}");
    }
}

#[test]
fn constants_match_rust() {
    let lanes = ("LANES", TILE_BYTES / LANE_BYTES);
    for stage in CUTTING {
        has_constants(stage, &[lanes, ("LANE_BYTES", LANE_BYTES)]);
    }
    let tokens = ("TOKENS_A_LANE", COUNT_TOKENS as usize / lanes.1);
    let inline = ("INLINE_BYTES", CountGroup::INLINE_BYTES);
    let head = ("HEAD_WORDS", COUNT_HEAD_WORDS as usize);
    has_constants(Stage::Count, &[lanes, tokens, inline, head]);
    has_constants(Stage::FusedCount, &[lanes, ("TILE_BYTES", TILE_BYTES)]);
    let stripes = ("STRIPES", PARTITION_TILE_ROWS / lanes.1);
    let tile = ("TILE_ROWS", PARTITION_TILE_ROWS);
    let digits = ("DIGITS", PARTITION_DIGITS);
    has_constants(Stage::HashPartition, &[lanes, stripes, tile, digits]);
    let stripes = ("STRIPES", REDUCE_TILE_ROWS / lanes.1);
    let tile = ("TILE_ROWS", REDUCE_TILE_ROWS);
    for stage in REDUCING {
        has_constants(stage, &[("LANES", LISTED_SLOTS), stripes, tile]);
    }
}
