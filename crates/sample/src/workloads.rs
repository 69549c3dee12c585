//! Resources that run things: EKS and ECS clusters with their containers, Lambda functions, RDS databases.

use crate::catalogue::Action;
use crate::names;
use crate::resources::{instance, tags};
use crate::rng::Rng;
use crate::scene::{Scene, label};
use crate::time::{DAY, HOUR};
use crate::wire::Wire;

pub(crate) fn eks(w: &mut Wire, s: &Scene<'_>) {
    let mut rng = s.of(&s.cluster);
    w.obj("eksClusterDetails", |w| {
        w.str("name", &s.cluster);
        arn(
            w,
            s,
            "arn",
            format_args!("eks"),
            format_args!("cluster/{}", s.cluster),
        );
        w.epoch(
            "createdAt",
            1_600_000_000_000_000 + rng.between(0, 900) * DAY + 123_000,
        );
        w.fmt("vpcId", format_args!("vpc-0{:016x}", rng.next()));
        w.str("status", "ACTIVE");
        tags(w, s, &mut rng, "eks");
    });
    kubernetes(w, s);
    if s.kind.runtime {
        if s.rng(label::POD).chance(0.4) {
            instance(w, s);
        }
        container_details(w, s);
    }
}

fn kubernetes(w: &mut Wire, s: &Scene<'_>) {
    let mut rng = s.rng(label::POD);
    let workload = s.kind.action != Action::Kubernetes
        || s.kind.is("Workload")
        || s.kind.is("Exec")
        || matches!(s.kind.hint, "deploy" | "service" | "list") && rng.chance(0.5);
    w.obj("kubernetesDetails", |w| {
        if workload {
            w.obj("kubernetesWorkloadDetails", |w| {
                w.str("name", s.workload);
                w.str(
                    "type",
                    rng.pick(&[
                        "pods",
                        "deployments",
                        "daemonsets",
                        "cronjobs",
                        "statefulsets",
                    ]),
                );
                w.str("uid", &rng.uuid());
                w.str("namespace", s.namespace);
                w.bool("hostNetwork", rng.chance(0.2));
                w.str(
                    "serviceAccountName",
                    rng.pick(&["default", "builder", "app"]),
                );
                w.arr("containers", |w| w.object(|w| container(w, s, &mut rng)));
                w.arr("volumes", |w| {
                    if s.kind.is("SensitiveMount") || rng.chance(0.2) {
                        w.object(|w| {
                            w.str("name", "host-root");
                            w.obj("hostPath", |w| {
                                w.str("path", rng.pick(&["/", "/etc", "/var/run/docker.sock"]))
                            });
                        });
                    }
                });
                w.bool("hostIPC", false);
                w.bool("hostPID", rng.chance(0.1));
            });
        } else {
            w.null("kubernetesWorkloadDetails");
        }
        if s.kind.action != Action::Kubernetes {
            w.null("kubernetesUserDetails");
            return;
        }
        w.obj("kubernetesUserDetails", |w| {
            let anonymous = s.kind.is("Anonymous");
            w.str(
                "username",
                if anonymous {
                    "system:anonymous"
                } else {
                    &s.user.name
                },
            );
            w.str(
                "uid",
                if anonymous {
                    ""
                } else {
                    "aws-iam-authenticator:user"
                },
            );
            match anonymous {
                true => w.strs("groups", &["system:unauthenticated"]),
                false => w.strs("groups", &["system:masters", "system:authenticated"]),
            }
            w.arr("sessionName", |w| {
                if rng.chance(0.5) {
                    w.value(&names::session(&mut rng));
                }
            });
            if rng.chance(0.1) {
                w.obj("impersonatedUser", |w| {
                    w.str("username", "system:admin");
                    w.strs("groups", &["system:masters"]);
                });
            }
        });
    });
}

fn container(w: &mut Wire, s: &Scene<'_>, rng: &mut Rng) {
    const IMAGES: &[&str] = &[
        "nginx:1.25.4",
        "redis:7.2",
        "alpine:3.19",
        "docker.io/library/python:3.12",
        "quay.io/jupyter/base:latest",
    ];
    w.str("containerRuntime", "containerd");
    w.str("id", &rng.hex(64));
    w.str("name", s.workload);
    w.str("image", s.text(rng.pick(IMAGES)));
    w.str("imagePrefix", "");
    w.arr("volumeMounts", |w| {
        if rng.chance(0.4) {
            w.object(|w| {
                w.str("name", "host-root");
                w.str("mountPath", "/host");
            });
        }
    });
    w.obj("securityContext", |w| {
        w.bool("privileged", s.kind.is("Privileged") || rng.chance(0.15))
    });
}

pub(crate) fn container_details(w: &mut Wire, s: &Scene<'_>) {
    if s.resource == "Container" {
        instance(w, s);
    }
    let mut rng = s.rng(label::POD);
    w.obj("containerDetails", |w| container(w, s, &mut rng));
}

pub(crate) fn ecs(w: &mut Wire, s: &Scene<'_>) {
    let mut rng = s.of(&s.cluster);
    let mut task = s.rng(label::POD);
    w.obj("ecsClusterDetails", |w| {
        w.str("name", &s.cluster);
        arn(
            w,
            s,
            "arn",
            format_args!("ecs"),
            format_args!("cluster/{}", s.cluster),
        );
        w.str("status", "ACTIVE");
        w.num("activeServicesCount", rng.below(12));
        w.num("registeredContainerInstancesCount", rng.below(20));
        w.num("runningTasksCount", rng.below(60));
        tags(w, s, &mut rng, "ecs");
        w.obj("taskDetails", |w| {
            let started = s.finding.created_at - task.between(1, 72) * HOUR;
            arn(
                w,
                s,
                "arn",
                format_args!("ecs"),
                format_args!("task/{}/{}", s.cluster, task.hex(32)),
            );
            arn(
                w,
                s,
                "definitionArn",
                format_args!("ecs"),
                format_args!("task-definition/{}:{}", s.workload, 1 + task.below(90)),
            );
            w.str("version", "4");
            w.named("createdAt", "TaskCreatedAt").epoch_value(started);
            w.epoch("startedAt", started + 23_417_000);
            w.fmt(
                "startedBy",
                format_args!("ecs-svc/{}", task.below(10_000_000_000)),
            );
            w.arr("tags", |_| ());
            w.arr("volumes", |w| {
                w.object(|w| {
                    w.str("name", "data");
                    w.obj("hostPath", |w| w.str("path", "/var/lib/data"));
                });
            });
            w.arr("containers", |w| w.object(|w| container(w, s, &mut task)));
            w.fmt("group", format_args!("service:{}", s.workload));
            w.str("launchType", task.pick(&["EC2", "FARGATE"]));
        });
    });
    if s.kind.runtime && s.rng(label::EXTRA).chance(0.3) {
        instance(w, s);
    }
}

pub(crate) fn lambda(w: &mut Wire, s: &Scene<'_>) {
    let mut rng = s.of(&s.function);
    w.obj("lambdaDetails", |w| {
        arn(
            w,
            s,
            "functionArn",
            format_args!("lambda"),
            format_args!("function:{}", s.function),
        );
        w.str("functionName", &s.function);
        w.str("description", s.text("Sends what was asked for"));
        w.epoch("lastModifiedAt", s.origin - rng.between(1, 200) * DAY);
        w.str("revisionId", &rng.uuid());
        w.str("functionVersion", "$LATEST");
        w.fmt(
            "role",
            format_args!(
                "arn:{}:iam::{}:role/lambda-exec",
                s.region.partition, s.account.id
            ),
        );
        w.obj("vpcConfig", |w| {
            w.arr("subnetIds", |w| {
                w.value_fmt(format_args!("subnet-0{:016x}", rng.next()))
            });
            w.fmt("vpcId", format_args!("vpc-0{:016x}", rng.next()));
            w.arr("securityGroups", |w| {
                w.object(|w| {
                    w.str("groupName", "lambda-sg");
                    w.fmt("groupId", format_args!("sg-0{:016x}", rng.next()));
                });
            });
        });
        tags(w, s, &mut rng, "fn");
    });
}

pub(crate) fn rds(w: &mut Wire, s: &Scene<'_>) {
    let mut rng = s.of(&s.database);
    w.obj("rdsDbInstanceDetails", |w| {
        w.str("dbInstanceIdentifier", &s.database);
        engine(w, &mut rng);
        w.fmt(
            "dbClusterIdentifier",
            format_args!("{}-cluster", s.database),
        );
        arn(
            w,
            s,
            "dbInstanceArn",
            format_args!("rds"),
            format_args!("db:{}", s.database),
        );
        w.fmt("dbiResourceId", format_args!("db-{}", rng.token(26)));
        tags(w, s, &mut rng, "rds");
    });
    database_user(w, s);
}

pub(crate) fn rds_limitless(w: &mut Wire, s: &Scene<'_>) {
    let mut rng = s.of(&s.database);
    w.obj("rdsLimitlessDbDetails", |w| {
        w.fmt(
            "dbShardGroupIdentifier",
            format_args!("{}-shards", s.database),
        );
        w.fmt(
            "dbShardGroupResourceId",
            format_args!("shardgroup-{}", rng.hex(17)),
        );
        arn(
            w,
            s,
            "dbShardGroupArn",
            format_args!("rds"),
            format_args!("shard-group:{}", rng.hex(17)),
        );
        engine(w, &mut rng);
        w.fmt(
            "dbClusterIdentifier",
            format_args!("{}-cluster", s.database),
        );
        tags(w, s, &mut rng, "rds");
    });
    database_user(w, s);
}

fn engine(w: &mut Wire, rng: &mut Rng) {
    let (name, version) = rng.pick(&[
        ("aurora-postgresql", "15.4"),
        ("aurora-mysql", "8.0.mysql_aurora.3.05.2"),
        ("postgres", "16.1"),
    ]);
    w.str("engine", name);
    w.str("engineVersion", version);
}

fn database_user(w: &mut Wire, s: &Scene<'_>) {
    w.obj("rdsDbUserDetails", |w| {
        w.str("user", s.text("app_rw"));
        w.str("application", "psql");
        w.str("database", "orders");
        w.str("ssl", "TLSv1.3");
        w.str("authMethod", "SCRAM-SHA-256");
    });
}

fn arn(
    w: &mut Wire,
    s: &Scene<'_>,
    name: &str,
    service: std::fmt::Arguments<'_>,
    tail: std::fmt::Arguments<'_>,
) {
    let (partition, region, account) = (s.region.partition, s.region.name, &s.account.id);
    w.fmt(
        name,
        format_args!("arn:{partition}:{service}:{region}:{account}:{tail}"),
    );
}
