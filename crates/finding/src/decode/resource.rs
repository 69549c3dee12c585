//! `resource`: what was attacked or misused. Several detail objects may be there at once; `resourceType` names the main one.

use std::borrow::Cow;

use super::json::{Cursor, Fault};

type Text<'a> = Option<Cow<'a, str>>;

/// The part of a finding under `resource`.
#[derive(Debug, Default)]
pub(super) struct Resource<'a> {
    pub(super) kind: Text<'a>,
    /// The main resource's id where a document names it outright (ASFF, OCSF).
    pub(super) main_id: Text<'a>,
    pub(super) instance_id: Text<'a>,
    pub(super) access_key: AccessKey<'a>,
    pub(super) bucket_names: Vec<Cow<'a, str>>,
    pub(super) bucket_arn: Text<'a>,
    pub(super) object_arn: Text<'a>,
    pub(super) eks: Named<'a>,
    pub(super) ecs: Named<'a>,
    pub(super) task_arn: Text<'a>,
    pub(super) kubernetes_user: Text<'a>,
    pub(super) workload: Named<'a>,
    pub(super) container_id: Text<'a>,
    pub(super) container_image: Text<'a>,
    pub(super) task_image: Text<'a>,
    pub(super) workload_image: Text<'a>,
    pub(super) lambda: Named<'a>,
    pub(super) database: Named<'a>,
    pub(super) database_user: Text<'a>,
    pub(super) shard_group: Named<'a>,
    pub(super) volume_arn: Text<'a>,
    pub(super) snapshot_arn: Text<'a>,
    pub(super) image_arn: Text<'a>,
    pub(super) recovery_point_arn: Text<'a>,
    pub(super) guardrail_arn: Text<'a>,
    pub(super) model_id: Text<'a>,
}

/// `accessKeyDetails`.
#[derive(Debug, Default)]
pub(super) struct AccessKey<'a> {
    pub(super) id: Text<'a>,
    pub(super) principal_id: Text<'a>,
    pub(super) user_name: Text<'a>,
    pub(super) user_type: Text<'a>,
}

/// Something with a name and an ARN (or uid).
#[derive(Debug, Default)]
pub(super) struct Named<'a> {
    pub(super) name: Text<'a>,
    pub(super) arn: Text<'a>,
}

impl<'a> Named<'a> {
    fn read(c: &mut Cursor<'a>, name: &[u8], arn: &[u8]) -> Result<Named<'a>, Fault> {
        let mut named = Named::default();
        c.object(|c, key| {
            match key.name() {
                found if found == name => named.name = c.scalar()?.text(),
                found if found == arn => named.arn = c.scalar()?.text(),
                _ => c.skip()?,
            }
            Ok(())
        })?;
        Ok(named)
    }

    fn id(&self) -> Text<'a> {
        self.arn.clone().or_else(|| self.name.clone())
    }
}

impl<'a> Resource<'a> {
    /// Reads `resource` into this; what was here before is forgotten (of duplicate keys the last wins).
    pub(super) fn read(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        *self = Resource::default();
        let r = self;
        c.object(|c, key| {
            match key.name() {
                b"resourcetype" => r.kind = c.scalar()?.text(),
                b"instancedetails" => r.instance_id = read_text(c, b"instanceid")?,
                b"accesskeydetails" => r.access_key = AccessKey::read(c)?,
                b"s3bucketdetails" => r.read_buckets(c)?,
                b"eksclusterdetails" => r.eks = Named::read(c, b"name", b"arn")?,
                b"ecsclusterdetails" => r.read_ecs(c)?,
                b"kubernetesdetails" => r.read_kubernetes(c)?,
                b"containerdetails" => c.object(|c, key| {
                    match key.name() {
                        b"id" => r.container_id = c.scalar()?.text(),
                        b"image" => r.container_image = c.scalar()?.text(),
                        _ => c.skip()?,
                    }
                    Ok(())
                })?,
                b"lambdadetails" => r.lambda = Named::read(c, b"functionname", b"functionarn")?,
                b"rdsdbinstancedetails" => {
                    r.database = Named::read(c, b"dbinstanceidentifier", b"dbinstancearn")?
                }
                b"rdsdbuserdetails" => r.database_user = read_text(c, b"user")?,
                b"rdslimitlessdbdetails" => {
                    r.shard_group = Named::read(c, b"dbshardgroupidentifier", b"dbshardgrouparn")?
                }
                b"ebsvolumedetails" => r.volume_arn = read_volume(c)?,
                b"ebssnapshotdetails" => r.snapshot_arn = read_text(c, b"snapshotarn")?,
                b"ec2imagedetails" => r.image_arn = read_text(c, b"imagearn")?,
                b"recoverypointdetails" => {
                    r.recovery_point_arn = read_text(c, b"recoverypointarn")?
                }
                b"bedrockguardraildetails" => r.guardrail_arn = read_text(c, b"guardrailarn")?,
                b"modeldetails" => r.model_id = read_text(c, b"modelid")?,
                _ => c.skip()?,
            }
            Ok(())
        })
    }

    fn read_buckets(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        (self.bucket_names, self.bucket_arn, self.object_arn) = Default::default();
        c.each(|c| {
            let mut name = None;
            c.object(|c, key| {
                match key.name() {
                    b"name" => name = c.scalar()?.text(),
                    b"arn" => keep_first(&mut self.bucket_arn, c.scalar()?.text()),
                    b"s3objectdetails" => c.each(|c| {
                        keep_first(&mut self.object_arn, read_text(c, b"objectarn")?);
                        Ok(())
                    })?,
                    _ => c.skip()?,
                }
                Ok(())
            })?;
            self.bucket_names.extend(name);
            Ok(())
        })
    }

    fn read_ecs(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| {
            match key.name() {
                b"name" => self.ecs.name = c.scalar()?.text(),
                b"arn" => self.ecs.arn = c.scalar()?.text(),
                b"taskdetails" => c.object(|c, key| {
                    match key.name() {
                        b"arn" => self.task_arn = c.scalar()?.text(),
                        b"containers" => self.task_image = read_text(c, b"image")?,
                        _ => c.skip()?,
                    }
                    Ok(())
                })?,
                _ => c.skip()?,
            }
            Ok(())
        })
    }

    fn read_kubernetes(&mut self, c: &mut Cursor<'a>) -> Result<(), Fault> {
        c.object(|c, key| {
            match key.name() {
                b"kubernetesuserdetails" => self.kubernetes_user = read_text(c, b"username")?,
                b"kubernetesworkloaddetails" => c.object(|c, key| {
                    match key.name() {
                        b"name" => self.workload.name = c.scalar()?.text(),
                        b"uid" => self.workload.arn = c.scalar()?.text(),
                        b"containers" => self.workload_image = read_text(c, b"image")?,
                        _ => c.skip()?,
                    }
                    Ok(())
                })?,
                _ => c.skip()?,
            }
            Ok(())
        })
    }

    /// Id or ARN of the resource that `resourceType` names. For a type unknown to us, of the first detail object we know.
    pub(super) fn id(&self) -> Text<'a> {
        if self.main_id.is_some() {
            return self.main_id.clone();
        }
        let bucket = || {
            self.bucket_arn
                .clone()
                .or_else(|| self.bucket_names.first().cloned())
        };
        let kind: &str = self.kind.as_deref().unwrap_or("");
        let is = |names: &[&str]| names.iter().any(|name| kind.eq_ignore_ascii_case(name));
        if is(&["Instance"]) {
            self.instance_id.clone()
        } else if is(&["AccessKey"]) {
            self.access_key.id.clone()
        } else if is(&["S3Bucket"]) {
            bucket()
        } else if is(&["S3Object"]) {
            self.object_arn.clone().or_else(bucket)
        } else if is(&["EKSCluster", "KubernetesCluster"]) {
            self.eks.id()
        } else if is(&["KubernetesWorkload"]) {
            self.workload.id().or_else(|| self.eks.id())
        } else if is(&["ECSCluster"]) {
            self.ecs.id()
        } else if is(&["ECSTask"]) {
            self.task_arn.clone().or_else(|| self.ecs.id())
        } else if is(&["Container"]) {
            self.container_id.clone()
        } else if is(&["Lambda"]) {
            self.lambda.id()
        } else if is(&["RDSDBInstance", "DBInstance"]) {
            self.database.id()
        } else if is(&["RDSLimitlessDB"]) {
            self.shard_group.id()
        } else if is(&["EBSVolume"]) {
            self.volume_arn.clone()
        } else if is(&["EBSSnapshot"]) {
            self.snapshot_arn.clone()
        } else if is(&["EC2Image", "AMI"]) {
            self.image_arn.clone()
        } else {
            self.first_id()
        }
    }

    fn first_id(&self) -> Text<'a> {
        self.recovery_point_arn
            .clone()
            .or_else(|| self.guardrail_arn.clone())
            .or_else(|| self.model_id.clone())
            .or_else(|| self.snapshot_arn.clone())
            .or_else(|| self.image_arn.clone())
            .or_else(|| self.volume_arn.clone())
            .or_else(|| self.shard_group.id())
            .or_else(|| self.database.id())
            .or_else(|| self.lambda.id())
            .or_else(|| self.container_id.clone())
            .or_else(|| self.eks.id())
            .or_else(|| self.ecs.id())
            .or_else(|| self.object_arn.clone())
            .or_else(|| self.bucket_arn.clone())
            .or_else(|| self.bucket_names.first().cloned())
            .or_else(|| self.instance_id.clone())
            .or_else(|| self.access_key.id.clone())
    }

    /// The user that acted: of the cluster or database when that is the resource, else of the access key.
    pub(super) fn user(&self) -> Text<'a> {
        let kind = self.kind.as_deref().unwrap_or("").to_ascii_lowercase();
        let (access_key, cluster, database) = (
            &self.access_key.user_name,
            &self.kubernetes_user,
            &self.database_user,
        );
        let order = match kind.as_str() {
            "ekscluster" | "kubernetescluster" | "kubernetesworkload" => {
                [cluster, access_key, database]
            }
            "rdsdbinstance" | "dbinstance" | "rdslimitlessdb" => [database, access_key, cluster],
            _ => [access_key, cluster, database],
        };
        order.into_iter().find_map(Clone::clone)
    }
}

impl<'a> AccessKey<'a> {
    fn read(c: &mut Cursor<'a>) -> Result<AccessKey<'a>, Fault> {
        let mut access_key = AccessKey::default();
        c.object(|c, key| {
            match key.name() {
                b"accesskeyid" => access_key.id = c.scalar()?.text(),
                b"principalid" => access_key.principal_id = c.scalar()?.text(),
                b"username" => access_key.user_name = c.scalar()?.text(),
                b"usertype" => access_key.user_type = c.scalar()?.text(),
                _ => c.skip()?,
            }
            Ok(())
        })?;
        Ok(access_key)
    }
}

/// One text member of an object, or of the first object of a list.
fn read_text<'a>(c: &mut Cursor<'a>, name: &[u8]) -> Result<Text<'a>, Fault> {
    let mut text = None;
    c.object(|c, key| {
        if key.name() == name {
            text = c.scalar()?.text();
            Ok(())
        } else {
            c.skip()
        }
    })?;
    Ok(text)
}

fn read_volume<'a>(c: &mut Cursor<'a>) -> Result<Text<'a>, Fault> {
    let mut arn = None;
    c.object(|c, key| match key.name() {
        b"scannedvolumedetails" => read_text(c, b"volumearn").map(|first| arn = first),
        _ => c.skip(),
    })?;
    Ok(arn)
}

fn keep_first<'a>(slot: &mut Text<'a>, value: Text<'a>) {
    if slot.is_none() {
        *slot = value;
    }
}
