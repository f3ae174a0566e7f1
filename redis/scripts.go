package redis

import goredis "github.com/redis/go-redis/v9"

// All times are milliseconds since 1970. The keys of a lane always come in the
// order of Store.laneKeys:
//
//	1 due0  2 due1  3 items  4 taken  5 state  6 links  7 copies  8 log
//
// followed, on anything but a Cluster, by those of Store.wakeKeys:
//
//	9 ready  10 versions  11 bell
//
// so that a lane and the alarm that wakes workers for it change at once. On a
// Cluster they live on different nodes: there a script answers when the lane is
// to be woken, and the alarm script is run after it.

// arm sets the lane's alarm: it works out when the lane can next be taken and
// returns {time or -1, version}. A lane that is out can be taken when its lease
// ends. The version counts a Cluster's alarms, which may overtake one another.
const armSource = `
local function payload(text)
  local priority, first, attempts, version, reason = string.match(text, '^(%d+)|(%d+)|(%d+)|([^|]*)|(.*)$')
  return tonumber(priority), first, tonumber(attempts), version, reason
end
local function pack(priority, first, attempts, version, reason)
  return priority .. '|' .. first .. '|' .. attempts .. '|' .. version .. '|' .. reason
end
local function nextDue()
  local soonest = -1
  for index = 1, 2 do
    local head = redis.call('ZRANGE', KEYS[index], 0, 0, 'WITHSCORES')
    if head[2] then
      local due = tonumber(head[2])
      if soonest < 0 or due < soonest then soonest = due end
    end
  end
  return soonest
end
local function alarm(lane, at, now, ring, before)
  if at < 0 then
    redis.call('ZREM', KEYS[9], lane)
  elseif at ~= before then
    redis.call('ZADD', KEYS[9], at, lane)
    -- A lane that was ready already has been told of.
    if ring == '1' and at <= now and (before < 0 or before > now) then
      redis.call('LPUSH', KEYS[11], lane)
      redis.call('LTRIM', KEYS[11], 0, 255)
    end
  end
end
local function alarmOf(lane)
  return tonumber(redis.call('ZSCORE', KEYS[9], lane) or '-1')
end
local function arm(lane, now, ring)
  local lease = tonumber(redis.call('HGET', KEYS[5], 'until') or '0')
  local at
  if lease > 0 then at = lease else at = nextDue() end
  local version = 0
  if KEYS[9] then
    alarm(lane, at, now, ring, alarmOf(lane))
  else
    -- Not below the time: a lane whose last second is lost with a master must not
    -- go on with versions that its alarm knows already.
    version = math.max(tonumber(redis.call('HGET', KEYS[5], 'version') or '0') + 1, now)
    redis.call('HSET', KEYS[5], 'version', string.format('%.0f', version))
  end
  return string.format('%.0f', at), version
end
`

// leaseSource takes what is due out of the queue and leases the lane. A holder
// names a lease whose answer may be lost, with its fence; see reclaimScript. Fences
// grow by a random step, so that a lease made after a failover that lost the last
// one has another fence than that one: who still holds that must not pass for it.
const leaseSource = `
local function due(now, limit)
  local batch = {}
  for index = 1, 2 do
    if limit > 0 then
      local keys = redis.call('ZRANGEBYSCORE', KEYS[index], '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
      for position = 1, #keys, 2 do
        local key = keys[position]
        redis.call('ZREM', KEYS[index], key)
        local text = redis.call('HGET', KEYS[3], key)
        if text then
          redis.call('HSET', KEYS[4], key, '')
          batch[#batch + 1] = key
          batch[#batch + 1] = keys[position + 1]
          batch[#batch + 1] = text
          limit = limit - 1
        end
      end
    end
  end
  return batch
end
local function hold(ends, holder, step)
  local fence = redis.call('HINCRBY', KEYS[5], 'fence', step)
  if holder == '' then
    redis.call('HSET', KEYS[5], 'until', ends)
  else
    redis.call('HSET', KEYS[5], 'until', ends, 'holder', fence .. '|' .. holder)
  end
  return fence
end
local function answer(at, version, count, batch)
  local result = {at, version, count}
  for _, value in ipairs(batch) do result[#result + 1] = value end
  return result
end
`

// alarmScript sets the alarm of a lane on a Cluster.
// KEYS ready, versions, bell. ARGV lane, time or -1, version, now, ring.
// An older version than the one known changes nothing.
var alarmScript = goredis.NewScript(`
local known = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
if tonumber(ARGV[3]) <= known then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
if tonumber(ARGV[2]) < 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  local before = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or '-1')
  local now = tonumber(ARGV[4])
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
  if ARGV[5] == '1' and tonumber(ARGV[2]) <= now and (before < 0 or before > now) then
    redis.call('LPUSH', KEYS[3], ARGV[1])
    redis.call('LTRIM', KEYS[3], 0, 255)
  end
end
return 1
`)

// addScript adds items, and leases the lane for a worker that waits in the
// process that adds, if the lane is free and one of them is due: so that the start
// of work takes no second round trip. ARGV lane, now, ring, most items to take or
// 0, end of the lease, its holder, the step of fences, then for each item: key, due,
// first, priority, version, digest of graph id or empty, digest of change key.
// Answers {alarm, version, echoes}, and if it leased the lane fence, key, due,
// payload, ... as well.
var addScript = goredis.NewScript(armSource + leaseSource + `
local now = tonumber(ARGV[2])
local lease = tonumber(redis.call('HGET', KEYS[5], 'until') or '0')
local echoes, soonest = 0, -1
-- Most items are new, and numbers are slow to write: those that only pass through
-- stay the text that they came as.
for index = 8, #ARGV, 7 do
  local key, version = ARGV[index], ARGV[index + 4]
  local echo = false
  if ARGV[index + 5] ~= '' then
    local known = redis.call('HGET', KEYS[7], ARGV[index + 5])
    echo = known and string.match(known, '|(.*)$') == ARGV[index + 6]
  end
  if echo then
    echoes = echoes + 1
  elseif redis.call('HSETNX', KEYS[3], key, ARGV[index + 3] .. '|' .. ARGV[index + 2] .. '|0|' .. version .. '|') == 1 then
    redis.call('ZADD', KEYS[ARGV[index + 3] + 1], ARGV[index + 1], key)
    local due = tonumber(ARGV[index + 1])
    if soonest < 0 or due < soonest then soonest = due end
  else
    local due, priority = tonumber(ARGV[index + 1]), tonumber(ARGV[index + 3])
    local before, first, attempts, known, reason = payload(redis.call('HGET', KEYS[3], key))
    -- Hints about a copy come in no order, so that of two versions neither is
    -- known to be the last: the item must not be taken for the echo of one.
    if ARGV[index + 5] ~= '' and known ~= version and version ~= 'deleted' and redis.call('HGET', KEYS[4], key) ~= '' then
      version = known == 'deleted' and known or ''
    end
    if before < priority then priority = before end
    redis.call('HSET', KEYS[3], key, pack(priority, first, attempts, version, reason))
    -- Only a lane that is out has items that are taken.
    if lease > 0 and redis.call('HEXISTS', KEYS[4], key) == 1 then
      if redis.call('HGET', KEYS[4], key) == '' then redis.call('HSET', KEYS[4], key, ARGV[index + 2]) end
    else
      local waits = redis.call('ZSCORE', KEYS[before + 1], key)
      if waits and tonumber(waits) < due then due = tonumber(waits) end
      if before ~= priority then redis.call('ZREM', KEYS[before + 1], key) end
      redis.call('ZADD', KEYS[priority + 1], due, key)
      if soonest < 0 or due < soonest then soonest = due end
    end
  end
end
if lease <= 0 and soonest >= 0 and soonest <= now and ARGV[4] ~= '0' then
  local batch = due(now, tonumber(ARGV[4]))
  local fence = hold(ARGV[5], ARGV[6], ARGV[7])
  local at, version = arm(ARGV[1], now, '0')
  table.insert(batch, 1, fence)
  return answer(at, version, echoes, batch)
end
if KEYS[9] then
  local text = redis.call('ZSCORE', KEYS[9], ARGV[1])
  if text then
    -- Adding only ever brings a lane's alarm forward, so it need not be worked
    -- out anew.
    local before = tonumber(text)
    if lease > 0 or soonest < 0 or soonest >= before then return {text, 0, echoes} end
    alarm(ARGV[1], soonest, now, ARGV[3], before)
    return {string.format('%.0f', soonest), 0, echoes}
  end
end
local at, version = arm(ARGV[1], now, ARGV[3])
return {at, version, echoes}
`)

// takeScript leases a lane. ARGV lane, now, end of the lease, limit, the step of
// fences.
// Answers {alarm, version, fence, key, due, payload, ...}; fence is 0 when the
// lane is out or nothing is due.
var takeScript = goredis.NewScript(armSource + leaseSource + `
local now = tonumber(ARGV[2])
local lease = tonumber(redis.call('HGET', KEYS[5], 'until') or '0')
if lease > now then
  local at, version = arm(ARGV[1], now, '0')
  return {at, version, 0}
end
if lease > 0 then
  -- A worker that died with its lease leaves its items here.
  local left = redis.call('HKEYS', KEYS[4])
  for _, key in ipairs(left) do
    local text = redis.call('HGET', KEYS[3], key)
    if text then redis.call('ZADD', KEYS[payload(text) + 1], now, key) end
  end
  redis.call('DEL', KEYS[4])
end
local batch, fence = due(now, tonumber(ARGV[4])), 0
if #batch > 0 then
  fence = hold(ARGV[3], '', ARGV[5])
else
  redis.call('HSET', KEYS[5], 'until', 0)
end
local at, version = arm(ARGV[1], now, '0')
return answer(at, version, fence, batch)
`)

// holdsSource says whether the fence is that of the lease that is out.
const holdsSource = `
local function holds(fence)
  return redis.call('HGET', KEYS[5], 'fence') == fence and tonumber(redis.call('HGET', KEYS[5], 'until') or '0') > 0
end
`

// extendScript keeps a lease. ARGV lane, now, fence, new end.
// Answers {alarm, version}, or {} when the lease is lost.
var extendScript = goredis.NewScript(armSource + holdsSource + `
if not holds(ARGV[3]) then return {} end
redis.call('HSET', KEYS[5], 'until', ARGV[4])
local at, version = arm(ARGV[1], tonumber(ARGV[2]), '0')
return {at, version}
`)

// finishScript gives a lane back. ARGV lane, now, fence, ring, then for each
// outcome: key, "1" to put it back, "2" to put it back as new or "3" to put it
// back as it is, due, reason.
// Answers {alarm, version}, or {} when the lease is lost.
var finishScript = goredis.NewScript(armSource + holdsSource + `
if not holds(ARGV[3]) then return {} end
local now = tonumber(ARGV[2])
for index = 5, #ARGV, 4 do
  local key = ARGV[index]
  local mark = redis.call('HGET', KEYS[4], key)
  local text = redis.call('HGET', KEYS[3], key)
  if mark and text then
    local priority, first, attempts, version, reason = payload(text)
    if mark ~= '' then
      -- Added again meanwhile: the mark is when.
      redis.call('HSET', KEYS[3], key, pack(priority, mark, 0, version, ''))
      redis.call('ZADD', KEYS[priority + 1], now, key)
    elseif ARGV[index + 1] == '2' then
      redis.call('HSET', KEYS[3], key, pack(priority, ARGV[index + 2], 0, '', ''))
      redis.call('ZADD', KEYS[priority + 1], ARGV[index + 2], key)
    elseif ARGV[index + 1] == '3' then
      redis.call('HSET', KEYS[3], key, pack(priority, first, attempts, version, ARGV[index + 3]))
      redis.call('ZADD', KEYS[priority + 1], ARGV[index + 2], key)
    elseif ARGV[index + 1] == '1' then
      redis.call('HSET', KEYS[3], key, pack(priority, first, attempts + 1, version, ARGV[index + 3]))
      redis.call('ZADD', KEYS[priority + 1], ARGV[index + 2], key)
    else
      redis.call('HDEL', KEYS[3], key)
    end
    redis.call('HDEL', KEYS[4], key)
  end
end
local left = redis.call('HKEYS', KEYS[4])
for _, key in ipairs(left) do
  local text = redis.call('HGET', KEYS[3], key)
  if text then redis.call('ZADD', KEYS[payload(text) + 1], now, key) end
end
redis.call('DEL', KEYS[4])
redis.call('HSET', KEYS[5], 'until', 0)
local at, version = arm(ARGV[1], now, ARGV[4])
return {at, version}
`)

// reclaimScript finds the fence of a lease by its holder. ARGV holder.
// Answers the fence, or 0 when somebody else leased the lane since.
var reclaimScript = goredis.NewScript(`
local fence, holder = string.match(redis.call('HGET', KEYS[5], 'holder') or '', '^(%d+)|(.*)$')
if holder ~= ARGV[1] or redis.call('HGET', KEYS[5], 'fence') ~= fence then return 0 end
return tonumber(fence)
`)

// hurryScript makes everything due that was put off. ARGV lane, now, ring.
// Answers {alarm, version}.
var hurryScript = goredis.NewScript(armSource + `
for index = 1, 2 do
  local later = redis.call('ZRANGEBYSCORE', KEYS[index], '(' .. ARGV[2], '+inf')
  for _, key in ipairs(later) do redis.call('ZADD', KEYS[index], ARGV[2], key) end
end
local at, version = arm(ARGV[1], tonumber(ARGV[2]), ARGV[3])
return {at, version}
`)

// commitScript records a round. ARGV fence, number of log lines to keep, number
// of links, number of drops, number of occurrences, then for each link: record
// id, digest of graph id or empty, digest of change key, link; then the dropped
// record ids; then for each occurrence its record id and "@" with that of its
// series' link, or nothing; then the log lines, oldest first. Answers 1, or 0 when
// the lease is lost. A link of an occurrence's own is never replaced.
var commitScript = goredis.NewScript(holdsSource + `
if not holds(ARGV[1]) then return 0 end
local links, drops, occurrences = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local function forget(record)
  local old = redis.call('HGET', KEYS[6], record)
  if not old then return end
  local copy = string.sub(old, 1, 11)
  local known = redis.call('HGET', KEYS[7], copy)
  if known and string.match(known, '^(.*)|') == record then redis.call('HDEL', KEYS[7], copy) end
end
local index = 6
for _ = 1, links do
  local record = ARGV[index]
  forget(record)
  redis.call('HSET', KEYS[6], record, ARGV[index + 3])
  if ARGV[index + 1] ~= '' then redis.call('HSET', KEYS[7], ARGV[index + 1], record .. '|' .. ARGV[index + 2]) end
  index = index + 4
end
for _ = 1, drops do
  forget(ARGV[index])
  redis.call('HDEL', KEYS[6], ARGV[index])
  index = index + 1
end
for _ = 1, occurrences do
  local known = redis.call('HGET', KEYS[6], ARGV[index])
  if not known or string.sub(known, 1, 1) == '@' then
    if ARGV[index + 1] ~= '' then redis.call('HSET', KEYS[6], ARGV[index], ARGV[index + 1])
    elseif known then redis.call('HDEL', KEYS[6], ARGV[index]) end
  end
  index = index + 2
end
-- A commit whose answer was lost comes again: its lines are there already.
if index <= #ARGV and redis.call('LINDEX', KEYS[8], 0) ~= ARGV[#ARGV] then
  for position = index, #ARGV do redis.call('LPUSH', KEYS[8], ARGV[position]) end
  redis.call('LTRIM', KEYS[8], 0, tonumber(ARGV[2]) - 1)
end
return 1
`)
