//! What a finding is about: instances, access keys and buckets. Clusters, functions and databases are in `workloads`.

use crate::names;
use crate::rng::Rng;
use crate::scene::{Scene, label};
use crate::time::SECOND;
use crate::wire::{Raw, Wire};
use crate::{malware, workloads};

/// Writes `resource`.
pub(crate) fn write(w: &mut Wire, s: &Scene<'_>) {
    w.obj("resource", |w| {
        w.str("resourceType", s.resource);
        match s.resource {
            "Instance" => instance(w, s),
            "AccessKey" => {
                access_key(w, s);
                if s.kind.is("InstanceCredentialExfiltration") {
                    instance(w, s);
                }
            }
            "S3Bucket" => {
                access_key(w, s);
                bucket(w, s);
            }
            "S3Object" => bucket(w, s),
            "EKSCluster" => workloads::eks(w, s),
            "ECSCluster" => workloads::ecs(w, s),
            "Container" => workloads::container_details(w, s),
            "Lambda" => workloads::lambda(w, s),
            "RDSDBInstance" => workloads::rds(w, s),
            "RDSLimitlessDB" => workloads::rds_limitless(w, s),
            _ => {}
        }
        malware::write_scanned(w, s);
    });
}

/// Writes `tags`: those of the account's team and a few of the resource's own.
pub(crate) fn tags(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng, name: &str) {
    const MORE: &[(&str, &str)] = &[
        ("ManagedBy", "terraform"),
        ("aws:cloudformation:stack-name", "core-stack"),
        ("Backup", "daily"),
        ("Owner", "equipe-données"),
        ("data-class", "internal"),
        ("aws:autoscaling:groupName", "web-asg"),
        ("map-migrated", "d-server-0123"),
    ];
    let of_account = rng.index(s.account.tags.len() + 1).min(rng.index(4));
    let more = rng.index(3);
    w.arr("tags", |w| {
        let mut tag = |key: &str, value: &str| {
            w.object(|w| {
                w.str("key", key);
                w.str("value", value);
            });
        };
        tag("Name", s.text(name));
        s.account.tags[..of_account]
            .iter()
            .for_each(|(key, value)| tag(key, value));
        let from = rng.index(MORE.len() - more);
        MORE[from..from + more]
            .iter()
            .for_each(|(key, value)| tag(key, value));
    });
}

pub(crate) fn access_key(w: &mut Wire, s: &Scene<'_>) {
    w.obj("accessKeyDetails", |w| {
        w.str("accessKeyId", &s.user.key);
        w.str("principalId", &s.user.principal);
        w.str("userType", s.user.kind);
        w.str("userName", &s.user.name);
    });
}

pub(crate) fn instance(w: &mut Wire, s: &Scene<'_>) {
    const TYPES: &[&str] = &[
        "t3.micro",
        "t3.large",
        "m5.xlarge",
        "m6i.2xlarge",
        "c6g.large",
        "r5.large",
        "t2.micro",
        "g5.xlarge",
    ];
    const IMAGES: &[&str] = &[
        "Amazon Linux 2023 AMI 2023.4.20240401.1 x86_64 HVM kernel-6.1",
        "Canonical, Ubuntu, 22.04 LTS, amd64 jammy image build on 2024-03-01",
        "Microsoft Windows Server 2019 with Desktop Experience Locale English AMI provided by Amazon",
        "Amazon Linux 2 AMI 2.0.20240306.2 x86_64 HVM gp2",
    ];
    let mut rng = s.of(&s.instance);
    let image = rng.index(IMAGES.len());
    let windows = image == 2;
    let name = rng.pick(&[
        "web-1",
        "web-2",
        "bastion",
        "app",
        "worker",
        "db-proxy",
        "build-agent",
        "vpn",
    ]);
    let interfaces = if rng.chance(0.07) { 2 } else { 1 };
    // Of an instance that is gone little can be said.
    if rng.chance(0.25) {
        w.obj("instanceDetails", |w| {
            w.str("instanceId", &s.instance);
            w.str("instanceType", rng.pick(TYPES));
            w.null("platform");
            w.arr("networkInterfaces", |_| ());
            w.arr("tags", |_| ());
            w.str("instanceState", "terminated");
        });
        return;
    }
    w.obj("instanceDetails", |w| {
        w.str("instanceId", &s.instance);
        w.str("instanceType", rng.pick(TYPES));
        w.null("outpostArn");
        w.iso(
            "launchTime",
            s.origin - rng.between(1, 400 * 86_400) * SECOND,
        );
        match windows {
            true => w.str("platform", "windows"),
            false => w.null("platform"),
        }
        w.arr("productCodes", |w| {
            if rng.chance(0.05) {
                w.object(|w| {
                    w.named("productCodeId", "Code")
                        .value("aw0evgkw8e5c1q413zgy5pjce");
                    w.named("productCodeType", "ProductType")
                        .value("marketplace");
                });
            }
        });
        if rng.chance(0.4) {
            w.obj("iamInstanceProfile", |w| {
                let role = names::role(&mut rng);
                w.fmt(
                    "arn",
                    format_args!(
                        "arn:{}:iam::{}:instance-profile/{role}",
                        s.region.partition, s.account.id
                    ),
                );
                w.fmt("id", format_args!("AIPA{}", rng.token(17)));
            });
        } else {
            w.null("iamInstanceProfile");
        }
        w.arr("networkInterfaces", |w| {
            (0..interfaces).for_each(|_| interface(w, s, &mut rng))
        });
        tags(w, s, &mut rng, name);
        w.str("instanceState", "running");
        w.fmt(
            "availabilityZone",
            format_args!("{}{}", s.region.name, rng.pick(&["a", "b", "c"])),
        );
        w.fmt("imageId", format_args!("ami-0{:016x}", rng.next()));
        // Null once the image is gone.
        match windows || rng.chance(0.5) {
            true => w.str("imageDescription", IMAGES[image]),
            false => w.null("imageDescription"),
        }
    });
}

fn interface(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng) {
    let [a, b, c, d] = s.private_ip.octets();
    let dashed = format!("ip-{a}-{b}-{c}-{d}");
    let zone = if s.region.name == "us-east-1" {
        "ec2"
    } else {
        s.region.name
    };
    let suffix = if zone == "ec2" {
        ".internal"
    } else {
        ".compute.internal"
    };
    let public = rng.chance(0.6).then(|| rng.between(1, 254));
    w.object(|w| {
        w.arr("ipv6Addresses", |w| {
            if rng.chance(0.1) {
                w.value_fmt(format_args!(
                    "2001:db8:{:x}::{:x}",
                    rng.below(65_536),
                    rng.below(65_536)
                ));
            }
        });
        w.fmt(
            "networkInterfaceId",
            format_args!("eni-0{:016x}", rng.next()),
        );
        w.fmt("privateDnsName", format_args!("{dashed}.{zone}{suffix}"));
        w.fmt("privateIpAddress", format_args!("{}", s.private_ip));
        w.arr("privateIpAddresses", |w| {
            w.object(|w| {
                w.fmt("privateDnsName", format_args!("{dashed}.{zone}{suffix}"));
                w.fmt("privateIpAddress", format_args!("{}", s.private_ip));
            });
        });
        w.fmt("subnetId", format_args!("subnet-0{:016x}", rng.next()));
        w.fmt("vpcId", format_args!("vpc-0{:016x}", rng.next()));
        w.arr("securityGroups", |w| {
            for _ in 0..1 + rng.below(5) / 4 {
                w.object(|w| {
                    w.str(
                        "groupName",
                        rng.pick(&[
                            "default",
                            "web-sg",
                            "launch-wizard-1",
                            "ssh-open",
                            "app-tier",
                        ]),
                    );
                    w.fmt("groupId", format_args!("sg-0{:016x}", rng.next()));
                });
            }
        });
        match public {
            Some(last) => {
                let host = if zone == "ec2" {
                    "compute-1"
                } else {
                    s.region.name
                };
                w.fmt(
                    "publicDnsName",
                    format_args!("ec2-192-0-2-{last}.{host}.amazonaws.com"),
                );
                w.fmt("publicIp", format_args!("192.0.2.{last}"));
            }
            None => w.str("publicDnsName", ""),
        }
    });
}

fn bucket(w: &mut Wire, s: &Scene<'_>) {
    let mut rng = s.of(&s.bucket);
    let public =
        s.kind.is("PublicAccessGranted") || s.kind.is("AnonymousAccessGranted") || rng.chance(0.05);
    let block = |w: &mut Wire, on: bool| {
        w.obj("blockPublicAccess", |w| {
            for name in [
                "ignorePublicAcls",
                "restrictPublicBuckets",
                "blockPublicAcls",
                "blockPublicPolicy",
            ] {
                w.bool(name, on);
            }
        });
    };
    w.arr("s3BucketDetails", |w| {
        w.object(|w| {
            w.fmt(
                "arn",
                format_args!("arn:{}:s3:::{}", s.region.partition, s.bucket),
            );
            w.str("name", &s.bucket);
            w.str("type", "Destination");
            w.epoch(
                "createdAt",
                (1_500_000_000_000 + rng.between(0, 200_000_000_000)) * 1_000,
            );
            w.obj("owner", |w| w.str("id", &rng.hex(64)));
            tags(w, s, &mut rng, "bucket");
            w.obj("defaultServerSideEncryption", |w| {
                if rng.chance(0.5) {
                    w.str("encryptionType", "aws:kms");
                    w.fmt(
                        "kmsMasterKeyArn",
                        format_args!(
                            "arn:{}:kms:{}:{}:key/{}",
                            s.region.partition,
                            s.region.name,
                            s.account.id,
                            rng.uuid()
                        ),
                    );
                } else {
                    w.str("encryptionType", "AES256");
                    w.null("kmsMasterKeyArn");
                }
            });
            w.obj("publicAccess", |w| {
                w.obj("permissionConfiguration", |w| {
                    w.obj("bucketLevelPermissions", |w| {
                        for (name, open) in [("accessControlList", false), ("bucketPolicy", public)]
                        {
                            w.obj(name, |w| {
                                w.bool("allowsPublicReadAccess", open);
                                w.bool("allowsPublicWriteAccess", false);
                            });
                        }
                        block(w, !public);
                    });
                    w.obj("accountLevelPermissions", |w| block(w, false));
                });
                w.str(
                    "effectivePermission",
                    if public { "PUBLIC" } else { "NOT_PUBLIC" },
                );
            });
            if s.resource == "S3Object" {
                objects(w, s);
            }
        });
    });
}

fn objects(w: &mut Wire, s: &Scene<'_>) {
    let mut rng = s.rng(label::SCAN);
    w.arr("s3ObjectDetails", |w| {
        w.object(|w| {
            let key = &s.path[1..];
            w.fmt(
                "objectArn",
                format_args!("arn:{}:s3:::{}/{key}", s.region.partition, s.bucket),
            );
            w.str("key", key);
            w.str("eTag", &rng.hex(32));
            w.str("hash", &rng.hex(64));
            w.str(
                "versionId",
                if rng.chance(0.5) {
                    "null"
                } else {
                    "dXv8Q2m1Kp0aJ3nT7rYb5cWz9eLf4GhS"
                },
            );
        });
    });
}

/// A volume of the instance, as an EBS scan names it.
pub(crate) fn volume(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng) {
    w.object(|w| {
        let place = (s.region.partition, s.region.name, &s.account.id);
        let (partition, region, account) = place;
        w.fmt(
            "volumeArn",
            format_args!(
                "arn:{partition}:ec2:{region}:{account}:volume/vol-0{:016x}",
                rng.next()
            ),
        );
        w.str("volumeType", rng.pick(&["gp3", "gp2", "io2"]));
        w.str(
            "deviceName",
            rng.pick(&["/dev/xvda", "/dev/sda1", "/dev/sdf"]),
        );
        w.num("volumeSizeInGB", Raw(rng.pick(&["8", "30", "100", "500"])));
        w.str("encryptionType", "EBS_ENCRYPTED");
        w.fmt(
            "snapshotArn",
            format_args!(
                "arn:{partition}:ec2:{region}:{account}:snapshot/snap-0{:016x}",
                rng.next()
            ),
        );
        w.fmt(
            "kmsKeyArn",
            format_args!("arn:{partition}:kms:{region}:{account}:key/{}", rng.uuid()),
        );
    });
}
