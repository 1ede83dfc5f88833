# The topics by what they are for. A test compares them with the code.
locals {
  # What the job reads. The value says which kinds of records a topic may bring besides the usual ones.
  sources = {
    events    = []
    handovers = ["handover"]
    commands  = ["command", "erase", "export"]
    states    = ["import"]
  }
  inputs = { for name, kinds in local.sources : name => kinds if name != "states" || var.import_states }

  # What the job writes: topic, schema and table have the name of the kind.
  outputs = toset([
    "audience_update",
    "call",
    "cancel",
    "communication",
    "conversion",
    "dead_letter",
    "erased",
    "export",
    "flow_state",
    "message",
    "participant_update",
    "profile_update",
    "rejection",
    "state_export",
    "transition",
    "webhook",
  ])

  # Complete states of users: never in the warehouse.
  whole  = toset(["state_export"])
  tables = setsubtract(local.outputs, local.whole)

  schemas = var.schemas == "" ? "${path.module}/../../schemas" : var.schemas
}
