"""The settings file that `streamfit init` writes."""

STARTER = """\
# Settings of streamfit. Every key can also be set by the environment
# (STREAMFIT_KAFKA__BOOTSTRAP_SERVERS=...) or by --set kafka.bootstrap_servers=...
# What is commented out shows the default.

[kafka]
bootstrap_servers = "localhost:9092"

# [kafka.librdkafka]                  # any option of librdkafka, such as
# "security.protocol" = "SASL_SSL"
# "sasl.mechanism" = "SCRAM-SHA-512"
# "sasl.username" = "streamfit"
# "sasl.password" = { file = "/run/secrets/kafka-password" }

[input]
# Events look like {"id":"e1","features":{"temperature":21.5,"load":0.4},"label":1}
topic = "events"
group = "streamfit"                   # the consumer group; offsets and checkpoints belong to it
# start = "earliest"                  # or "latest": where a new group begins
# instance = "streamfit-0"            # a fixed name of this replica: restarts rejoin at once
# format = "json"                     # or "msgpack": the same in MessagePack; or
#                                     # "json_array": [id, time, label, feature, feature, ...],
#                                     # without those that [schema] does not name; null = no label;
#                                     # "float64": features, then the label, little-endian, packed;
#                                     # without id and time; NaN = no label

[schema]
id = "id"                             # left out: topic/partition/offset
label = "label"                       # events without one are predicted, not learned
# time = "ts"                         # ms since 1970, UTC; left out: the record's timestamp
# features_in = "features"            # object or array that holds the features; "" = flat rows
features = ["temperature", "load"]    # in the order of the model's columns; what is no number:
#                                     # {name = "city", kind = "category"}, or kind = "text"
# hashed_features = 262144            # columns that categories and words are hashed to
classes = [0, 1]                      # all of them; left out for regression

[[model.steps]]                       # any scikit-learn classes with partial_fit,
use = "StandardScaler"                # by name and parameters

[[model.steps]]
use = "SGDClassifier"
loss = "log_loss"
learning_rate = "constant"
eta0 = 0.005
penalty = "none"

[learning]
# stride = 1                          # labelled events between two updates; 1 = row by row, exact
# scope = "global"                    # one model; or "partition": one for each partition
# max_batch = 8192                    # most records of one read; changes no result
# max_abs = 1e15                      # larger features are dead letters
# max_weight = 1e12                   # an event that drives a weight beyond is a dead letter
# on_unknown_label = "dead_letter"    # or "unlabelled": predict it, do not learn it
# on_reset = "fail"                   # lost offsets: or "follow_kafka", "follow_checkpoint"
# on_gap = "fail"                     # records gone before they were read: or "skip"
# on_damaged = "fail"                 # a damaged checkpoint: or "previous"

[drift]                               # changes of the stream, found in the errors of the model
# detector = "adwin"                  # or ddm, eddm, hddm_a, hddm_w, page_hinkley; a list; "none"
# Its parameters stand beside it, by River's names, such as delta = 0.002

[output]
topic = "predictions"
# delivery = "at_least_once"          # or "exactly_once": one transaction an epoch
# dead_letter_topic = "events.dlq"    # default: the input topic with .dlq behind it

[checkpoint]
store = "file:///var/lib/streamfit"   # or s3://bucket/folder, gs://, az://: by fsspec
# every = "1s"
# keep = 5                            # epochs one can go back; 3600 keeps an hour of 1s epochs
# max_bytes = 1073741824              # no larger checkpoint is read or written

[metrics]
# host = "127.0.0.1"
# port = 9108                         # the status page is at /, metrics at /metrics
# tls_certificate = "/etc/streamfit/tls.crt"  # left out: plain HTTP; read again when renewed
# tls_key = "/etc/streamfit/tls.key"  # left out: it stands in the file of the certificate
# tls_client_ca = "/etc/streamfit/clients.crt"  # clients must have a certificate of these

[log]                                 # on standard error
# level = "info"                      # or "debug", "warning", "error"
# format = "auto"                     # sentences on a terminal, JSON elsewhere; or "json", "text"

[tracing]                             # OpenTelemetry; its packages are no part of the install
# endpoint = "http://localhost:4318"  # the collector's OTLP over HTTP; left out: no traces
# ratio = 1.0                         # share of the batches that are traced
# headers = false                     # true: predictions carry the traceparent of their event

[limits]                              # too many dead letters stop the consumer
# dead_letter_window = 10000
# dead_letter_count = 500
# dead_letter_run = 100
# max_uncheckpointed = 1000000        # records learned while the store is away; then reading waits
# max_memory = "400MB"                # of the whole process, without its models
# stall_after = "60s"                 # a partition that lags and stands still: /readyz turns red
"""
