"""What Argo CD is told of the health of Applications and ApplicationSets: an app of apps waits for its children.

Argo CD dropped the check of Applications in 1.8, and its own of ApplicationSets does not look at what they generated.
The scripts run in Argo CD's Lua without the `string` library.
https://argo-cd.readthedocs.io/en/stable/operator-manual/health/#custom-health-checks
"""

from __future__ import annotations

APPLICATION = """\
-- A value that Argo CD leaves out when it copies a source, or writes where the source has none.
local function empty(value)
  if value == nil or value == "" or value == false or value == 0 then return true end
  if type(value) ~= "table" then return false end
  for _, inner in pairs(value) do
    if not empty(inner) then return false end
  end
  return true
end

-- Whether all that was compared is what is wanted now.
local function same(compared, wanted)
  if empty(compared) and empty(wanted) then return true end
  if type(compared) ~= "table" or type(wanted) ~= "table" then return tostring(compared) == tostring(wanted) end
  for key, value in pairs(compared) do
    if not same(value, wanted[key]) then return false end
  end
  return true
end

-- Argo CD fills one of `source` and `sources` when it compares, and for hydrated ones neither is in the spec.
local function changed(compared, wanted)
  return not empty(compared) and wanted ~= nil and not same(compared, wanted)
end

local function trouble(conditions)
  local errors = {ComparisonError = true, InvalidSpecError = true, SyncError = true, UnknownError = true}
  for _, condition in ipairs(conditions or {}) do
    if errors[condition.type] then return condition.type .. ": " .. (condition.message or "") end
  end
  return nil
end

local spec, status = obj.spec or {}, obj.status or {}
local found, sync = status.health or {}, status.sync or {}
local automated = (spec.syncPolicy or {}).automated
local by_hand = automated == nil or automated.enabled == false
local operation = status.operationState or {}
local compared = sync.comparedTo or {}

local health = {status = found.status, message = found.message or ""}
if health.status == nil then
  health = {status = "Progressing", message = "no health reported yet"}
elseif by_hand and sync.status ~= "Synced" then
  -- Nobody but its owner ends this. What is there may still be ill.
  if health.status == "Missing" or health.status == "Unknown" then health.status = "Healthy" end
  health.message = "its sync policy is manual, and it is " .. (sync.status or "not compared yet")
elseif health.status == "Missing" or health.status == "Unknown" then
  health = {status = "Progressing", message = "its health is " .. health.status}
end
if by_hand then return health end

if sync.status ~= "Synced" then
  local why = trouble(status.conditions) or operation.message or ""
  local failed = operation.phase == "Failed" or operation.phase == "Error"
  if failed or trouble(status.conditions) ~= nil then
    health.status = "Degraded"
  elseif health.status ~= "Degraded" then
    health.status = "Progressing"
  end
  health.message = "it is " .. (sync.status or "not compared yet") .. (why ~= "" and ": " .. why or "")
elseif changed(compared.source, spec.source) or changed(compared.sources, spec.sources) then
  if health.status == "Healthy" then health.status = "Progressing" end
  health.message = "its source has changed and is not compared yet"
end
return health
"""
"""Of an Application in another's folder: Healthy only if it is Synced as well, and compared as it stands now.

Children that are Missing or Unknown do not count for Argo CD: seen to end an `up` before anything of a child was
there. One that people sync (without `automated`) is not waited for.
"""

APPLICATION_SET = """\
local status = obj.status or {}
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do conditions[condition.type] = condition end
local function is(kind, value) return conditions[kind] ~= nil and conditions[kind].status == value end

for kind, bad in pairs({ErrorOccurred = "True", ResourcesUpToDate = "False"}) do
  if is(kind, bad) then return {status = "Degraded", message = conditions[kind].message} end
end
if is("RolloutProgressing", "True") then
  return {status = "Progressing", message = conditions.RolloutProgressing.message}
end
if not is("ResourcesUpToDate", "True") then
  return {status = "Progressing", message = "no condition reported yet"}
end

local policy = (((obj.spec or {}).template or {}).spec or {}).syncPolicy or {}
local by_hand = policy.automated == nil or policy.automated.enabled == false
for _, child in ipairs(status.resources or {}) do
  local health = (child.health or {}).status
  local absent = health == nil or health == "Missing" or health == "Unknown"
  if health == "Degraded" then return {status = "Degraded", message = child.name .. " is Degraded"} end
  if not (by_hand and absent) and health ~= "Healthy" then
    return {status = "Progressing", message = child.name .. ": its health is " .. (health or "not reported yet")}
  end
  if not by_hand and child.status ~= "Synced" then
    return {status = "Progressing", message = child.name .. " is " .. (child.status or "not compared yet")}
  end
end
return {status = "Healthy", message = conditions.ResourcesUpToDate.message}
"""
"""Of an ApplicationSet: Healthy only if every Application that it generated is Synced and Healthy.

Whether people sync those is read from the template.
"""

CUSTOMIZATIONS = {
    "resource.customizations.health.argoproj.io_Application": APPLICATION,
    "resource.customizations.health.argoproj.io_ApplicationSet": APPLICATION_SET,
}
"""Keys of `argocd-cm`."""
