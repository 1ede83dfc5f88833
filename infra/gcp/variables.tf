variable "project" {
  description = "Id of the Google Cloud project."
  type        = string
}

variable "region" {
  description = "Region of the job, its buckets, Redis and the data set."
  type        = string
  default     = "europe-west1"
}

variable "zone" {
  description = "Zone of the controller's machine and disk, in the region."
  type        = string
  default     = "europe-west1-b"
}

variable "prefix" {
  description = "Prefix of the names of topics and subscriptions, for several jobs in one project, such as \"live-\"."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([a-z][a-z0-9-]*-)?$", var.prefix))
    error_message = "A prefix has small letters, digits and hyphens, and ends with a hyphen."
  }
}

variable "image" {
  description = "Image of the job with its digest or version, as make image built and docker push stored it. Empty: everything but the job and the controller."
  type        = string
  default     = ""
}

variable "job" {
  description = "Name of the Dataflow job. An update keeps the name."
  type        = string
  default     = "towpath"
}

variable "space" {
  description = "Space of messages without a space attribute, as its space.yaml names it."
  type        = string
  default     = "default"
}

variable "control_log" {
  description = "Name of the control log in its bucket. Empty: the name of the space with .jsonl."
  type        = string
  default     = ""
}

variable "options" {
  description = "More options of the job by name, such as {file_rows = \"100000\"}; infra/gcp/metadata.json lists them."
  type        = map(string)
  default     = {}
}

variable "renamed_steps" {
  description = "Names of today's steps by those of the running job; the changelog of a release names them."
  type        = map(string)
  default     = {}
}

variable "workers" {
  description = "Number of workers at first and at most, and their machine type."
  type = object({
    first   = optional(number, 1)
    most    = optional(number, 10)
    machine = optional(string, "n2-standard-4")
  })
  default = {}
}

variable "subnetwork" {
  description = "Subnetwork of workers and controller with private access to Google's services: regions/R/subnetworks/S."
  type        = string
}

variable "network" {
  description = "Network of the subnetwork, as projects/P/global/networks/N; Redis is reached through it."
  type        = string
}

variable "publishers" {
  description = "Accounts that publish events, each with its kind, such as serviceAccount:shop@P.iam.gserviceaccount.com."
  type        = set(string)
  default     = []
}

variable "commanders" {
  description = "Accounts that publish commands about users and erasures."
  type        = set(string)
  default     = []
}

variable "analysts" {
  description = "Accounts that read the views of the data set."
  type        = set(string)
  default     = []
}

variable "operators" {
  description = "Accounts that deploy the job and change the control log."
  type        = set(string)
  default     = []
}

variable "schemas" {
  description = "Folder with the Avro schema of each output topic, KIND.avsc. Empty: schemas of the project."
  type        = string
  default     = ""
}

variable "alerts" {
  description = "File with the alerts of the job. Empty: infra/monitoring/alerts.yaml of the project."
  type        = string
  default     = ""
}

variable "notify" {
  description = "Notification channels of alerts by severity: page and ticket."
  type        = map(list(string))
  default     = {}
}

variable "redis" {
  description = "Memory of Redis for flow states in GB; 0: no Redis."
  type        = number
  default     = 1
}

variable "index_gb" {
  description = "Size of the disk with the controller's index of sessions in GB."
  type        = number
  default     = 20
}

variable "parquet" {
  description = "Write Parquet tables to a bucket, too."
  type        = bool
  default     = false
}

variable "archive" {
  description = "Keep every record that the job may read as files in a bucket, to rebuild states."
  type        = bool
  default     = true
}

variable "import_states" {
  description = "A topic and subscription states, by which a job that is rebuilt imports states."
  type        = bool
  default     = false
}

variable "table_days" {
  description = "Days after which rows of the data set are deleted; 0: never."
  type        = number
  default     = 0
}

variable "protect" {
  description = "Refuse to delete the data set and its tables."
  type        = bool
  default     = true
}
