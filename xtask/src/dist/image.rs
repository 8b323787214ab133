//! The image for containers: an OCI layout (image-spec 1.1) in a tar archive, written here, since it is four JSON files
//! around a tar archive, and a container engine would want root. It holds the program and its licences only, for each
//! processor, behind one name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::prefix::{DOC, Prefix};
use super::{checksums, emptied, names, tar};
use crate::architecture::Architecture;
use crate::child;
use crate::commit::Commit;

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What is in the image, below /usr.
const FILES: [&str; 3] = ["bin/injector", "LICENSE-APACHE", "LICENSE-MIT"];

/// Makes `file` with an image for each prefix; `work` is a folder for what is in it.
pub(super) fn make(
    prefixes: &[(Architecture, Prefix)],
    commit: &Commit,
    work: &Path,
    file: &Path,
) -> Result<()> {
    let layout = Layout::new(work)?;
    let mut manifests = Vec::new();
    for (architecture, prefix) in prefixes {
        manifests.push(layout.image(*architecture, prefix, commit)?);
    }
    let index =
        layout.document(INDEX, &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}))?;
    layout.finish(index, commit, file)
}

/// A layout that is being written.
struct Layout {
    folder: PathBuf,
}

impl Layout {
    fn new(folder: &Path) -> Result<Self> {
        let folder = emptied(folder)?;
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).with_context(|| format!("cannot make {}", blobs.display()))?;
        Ok(Self { folder })
    }

    /// One image; gives what an index says of it.
    fn image(&self, architecture: Architecture, prefix: &Prefix, commit: &Commit) -> Result<Value> {
        let plain = self.folder.join("layer");
        let mut tar = tar::pack(&prefix.folder, "usr", commit);
        tar.arg("--file").arg(&plain);
        tar.args(
            FILES
                .map(|file| if file.contains('/') { format!("./{file}") } else { format!("./{DOC}/{file}") }),
        );
        child::run(&mut tar)?;
        let contents = format!("sha256:{}", checksums::of(&plain)?);
        child::run(std::process::Command::new("gzip").args(["-9", "--no-name"]).arg(&plain))?;
        let layer = self.blob(LAYER, &plain.with_extension("gz"))?;
        let config = self.document(CONFIG, &config(architecture, commit, &contents))?;
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]});
        let mut said = self.document(MANIFEST, &manifest)?;
        said["platform"] = json!({"architecture": architecture.debian(), "os": "linux"});
        Ok(said)
    }

    /// Adds a JSON document; gives its descriptor.
    fn document(&self, kind: &str, document: &Value) -> Result<Value> {
        let path = self.folder.join("document");
        fs::write(&path, document.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
        self.blob(kind, &path)
    }

    /// Moves `file` to where its digest is its name; gives its descriptor.
    fn blob(&self, kind: &str, file: &Path) -> Result<Value> {
        let digest = checksums::of(file)?;
        let size = fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
        fs::rename(file, self.folder.join("blobs/sha256").join(&digest))
            .with_context(|| format!("cannot move {}", file.display()))?;
        Ok(json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": size}))
    }

    /// Names the image, and packs all.
    fn finish(self, mut index: Value, commit: &Commit, file: &Path) -> Result<()> {
        index["annotations"] =
            json!({"org.opencontainers.image.ref.name": format!("injector:{}", names::VERSION)});
        let top = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [index]});
        for (name, document) in [("oci-layout", json!({"imageLayoutVersion": "1.0.0"})), ("index.json", top)]
        {
            let path = self.folder.join(name);
            fs::write(&path, document.to_string())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let mut tar = tar::pack(&self.folder, ".", commit);
        child::run(tar.arg("--file").arg(file).args(["./oci-layout", "./index.json", "./blobs"]))?;
        fs::remove_dir_all(&self.folder).with_context(|| format!("cannot remove {}", self.folder.display()))
    }
}

/// What a runtime has to know; `contents` is the digest of the layer before it was compressed.
fn config(architecture: Architecture, commit: &Commit, contents: &str) -> Value {
    json!({
        "created": commit.date,
        "architecture": architecture.debian(),
        "os": "linux",
        "config": {
            "Entrypoint": ["/usr/bin/injector"],
            "Env": ["PATH=/usr/bin"],
            "WorkingDir": "/",
            "Labels": {
                "org.opencontainers.image.title": "injector",
                "org.opencontainers.image.version": names::VERSION,
                "org.opencontainers.image.revision": commit.hash,
                "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [contents]},
        "history": [{"created": commit.date, "created_by": "cargo xtask dist"}],
    })
}
