//! Takes the DWARF out of the linked BPF object. The linker makes the BTF from it; the loader and the verifier
//! read the BTF alone, and half of the object would be parsed at each start for nothing.

use anyhow::{Context, Result};
use object::{
    build::elf::{Builder, SectionData},
    elf::SHT_STRTAB,
};

/// `object` without its `.debug_*` sections and what relocates them.
pub(super) fn remove(object: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read(object).context("the BPF object is no ELF file")?;
    for section in &mut builder.sections {
        let name = &section.name[..];
        section.delete = name.starts_with(b".debug_") || name.starts_with(b".rel.debug_");
    }
    builder.delete_orphans();
    // LLVM keeps the names of sections and symbols in one table; the writer wants two.
    if !builder.sections.iter().any(|section| matches!(section.data, SectionData::SectionString)) {
        let names = builder.sections.add();
        names.name = b".shstrtab"[..].into();
        names.sh_type = SHT_STRTAB;
        names.data = SectionData::SectionString;
    }
    let mut without = Vec::new();
    builder.write(&mut without).context("cannot write the BPF object without its DWARF")?;
    Ok(without)
}
