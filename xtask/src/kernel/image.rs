//! Taking a bzImage apart. An emulated processor needs one to three seconds to unpack a kernel; the
//! host does it once, and QEMU starts the ELF file inside by its PVH entry.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};

/// Writes the ELF kernel inside the bzImage `from` to `to`.
pub(super) fn unpack(from: &Path, to: &Path) -> Result<()> {
    let image = std::fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    let payload =
        payload(&image).with_context(|| format!("{} is no bzImage of protocol 2.08", from.display()))?;
    let tool = match payload {
        [0xfd, b'7', b'z', ..] => "xz",
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "zstd",
        [0x1f, 0x8b, ..] => "gzip",
        _ => bail!("{} is compressed in a way that we do not know", from.display()),
    };
    let file = std::fs::File::create(to).with_context(|| format!("cannot write {}", to.display()))?;
    let mut command = Command::new(tool);
    let mut child = command
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(file)
        .spawn()
        .with_context(|| format!("cannot start {tool}"))?;
    let stdin = child.stdin.take();
    let status = thread::scope(|scope| {
        // The tool ends when its input does, and says itself what it does not like about it.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(payload)));
        child.wait()
    });
    if !status.is_ok_and(|status| status.success()) {
        bail!("{tool} cannot unpack {}", from.display());
    }
    Ok(())
}

/// The compressed kernel, by the setup header (Documentation/arch/x86/boot.rst in 6.12), without the
/// unpacked length that the kernel's build appends to it.
fn payload(image: &[u8]) -> Option<&[u8]> {
    let word = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?) as usize);
    let protocol = u16::from_le_bytes(image.get(0x206..0x208)?.try_into().ok()?);
    if image.get(0x202..0x206)? != b"HdrS" || protocol < 0x208 {
        return None;
    }
    let sectors = match image.get(0x1f1)? {
        0 => 4,
        sectors => usize::from(*sectors),
    };
    let start = (sectors + 1) * 512 + word(0x248)?;
    image.get(start..start + word(0x24c)?.checked_sub(4)?)
}

#[cfg(test)]
mod tests {
    use super::payload;

    #[test]
    fn the_payload_is_where_the_header_says() {
        let mut image = vec![0; 4096];
        image[0x1f1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
        image[0x248..0x24c].copy_from_slice(&16_u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&12_u32.to_le_bytes());
        image[1040..1052].copy_from_slice(b"COMPRESSEDxx");
        assert_eq!(payload(&image), Some(&b"COMPRESS"[..]));
        image[0x202] = 0;
        assert_eq!(payload(&image), None);
    }
}
