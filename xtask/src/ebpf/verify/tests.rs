use super::*;

fn committed() -> Vec<u8> {
    fs::read(host::checkout().join(OBJECT)).expect("the committed object")
}

fn judge_against(changed: &[u8], inputs: Option<&str>) -> Verdict {
    judge(changed, &committed(), inputs.map(str::to_owned), "built".into(), Path::new("committed"))
}

#[test]
fn one_changed_byte_fails_and_its_section_is_named() {
    let original = committed();
    let file = object::File::parse(&*original).expect("an ELF file");
    let mut tried = 0;
    for section in file.sections() {
        let Some((offset, size)) = section.file_range().filter(|(_, size)| *size > 0) else { continue };
        let name = section.name().expect("a name");
        for at in [offset, offset + size - 1] {
            let mut changed = original.clone();
            changed[usize::try_from(at).expect("an offset")] ^= 1;
            let Verdict::Different(sentence) = judge_against(&changed, None) else { panic!("byte {at} went unseen") };
            // The names of sections are themselves in a section: changing one changes what it is called.
            assert!(name == ".strtab" || sentence.contains(&format!("first in section {name}.")), "{at}: {sentence}");
            tried += 1;
        }
    }
    assert!(tried > 8, "the committed object has sections");
}

#[test]
fn a_byte_counts_wherever_it_is() {
    let original = committed();
    // A prime stride, so that every alignment has its turn.
    for at in (0..original.len()).step_by(97) {
        let mut changed = original.clone();
        changed[at] ^= 0x80;
        assert!(first_difference(&changed, &original).is_some(), "byte {at} went unseen");
    }
    assert!(first_difference(&original[..original.len() - 1], &original).is_some());
}

#[test]
fn equal_bytes_are_equal_whatever_built_them() {
    assert_eq!(judge_against(&committed(), None), Verdict::Equal);
    assert_eq!(judge_against(&committed(), Some("rustc differs")), Verdict::Equal);
}

#[test]
fn other_bytes_of_another_compiler_prove_nothing() {
    let verdict = judge_against(b"another object", Some("rustc differs"));
    assert_eq!(verdict, Verdict::NotCompared("rustc differs".to_owned(), "built".into()));
}
