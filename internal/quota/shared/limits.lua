-- Decides on one call: counts it in every limit, or in none. The arithmetic is
-- that of package quota, and a test holds the two together. Time comes from the
-- caller, in µs; a caller whose clock is behind finds the newer state and opens
-- nothing that has passed.
--
-- KEYS: two per limit, its state and its log.
-- ARGV: now, then per limit: algorithm, window in µs, µs per tick, ticks, calls,
-- capacity, what is needed, what is asked for, parts into which what is left is
-- shared, how long a grant of a log is held.
-- Answers: 1 or 0, then per limit: granted, left, µs to wait (-1: for ever),
-- reset in µs, number of the window.
local PER = 10
local now = tonumber(ARGV[1])
local n = (#ARGV - 1) / PER

local function ceil(a, b) return math.floor((a + b - 1) / b) end
local function int(v) return string.format('%.0f', v) end

local function expire(s)
  while true do
    local head = redis.call('LINDEX', s.log, 0)
    if not head then return end
    local at, cost = string.match(head, '(%d+):(%d+)')
    if tonumber(at) > now - s.size then return end
    redis.call('LPOP', s.log)
    s.used = s.used - tonumber(cost)
  end
end

-- roll moves a state forward to now and says how many calls have room.
local function roll(s)
  if s.kind == 'sliding_log' then
    expire(s)
    return s.calls - s.used
  elseif s.kind == 'token_bucket' or s.kind == 'leaky_bucket' then
    local tick = math.floor(now / s.grain)
    if tick > s.at then
      s.used = math.max(s.used - (tick - s.at) * s.calls, 0)
      s.at = tick
    end
    return math.floor(s.cap - s.used / s.ticks)
  end
  local window = math.floor(now / s.size)
  if window > s.at then
    s.before = window == s.at + 1 and s.used or 0
    s.at, s.used = window, 0
  end
  if s.kind == 'fixed_window' then return s.calls - s.used end
  local elapsed = math.floor(math.max(now - s.at * s.size, 0) / s.grain)
  return s.calls - s.used - ceil(s.before * (s.ticks - elapsed), s.ticks)
end

local function freed(s, cost)
  local all = redis.call('LRANGE', s.log, 0, -1)
  for _, entry in ipairs(all) do
    local at, c = string.match(entry, '(%d+):(%d+)')
    cost = cost - tonumber(c)
    if cost <= 0 then return tonumber(at) end
  end
  return now
end

local function wait(s)
  if s.need > s.cap then return -1 end
  if s.kind == 'fixed_window' then return (s.at + 1) * s.size - now end
  if s.kind == 'sliding_log' then return freed(s, s.used + s.need - s.calls) + s.size - now end
  if s.kind == 'sliding_window' then
    local start, decays, room = s.at * s.size, s.before, s.calls - s.used - s.need
    if room < 0 then start, decays, room = start + s.size, s.used, s.calls - s.need end
    return start + (s.ticks - math.floor(room * s.ticks / decays)) * s.grain - now
  end
  return (s.at + ceil(s.used + (s.need - s.cap) * s.ticks, s.calls)) * s.grain - now
end

local function reset(s)
  if s.kind == 'fixed_window' then return (s.at + 1) * s.size end
  if s.kind == 'sliding_window' then
    if s.used > 0 then return (s.at + 2) * s.size end
    return s.before > 0 and (s.at + 1) * s.size or now
  end
  if s.used == 0 then return now end
  if s.kind == 'sliding_log' then return s.at + s.size end
  return (s.at + ceil(s.used, s.calls)) * s.grain
end

local function add(s, cost)
  if s.kind == 'sliding_log' then
    local at = now + s.hold
    if s.calls > 1000 then at = ceil(at, s.size / 1000) * (s.size / 1000) end
    s.at = math.max(at, s.at)
    redis.call('RPUSH', s.log, int(s.at) .. ':' .. int(cost))
    s.used = s.used + cost
  elseif s.kind == 'token_bucket' or s.kind == 'leaky_bucket' then
    s.used = s.used + cost * s.ticks
  else
    s.used = s.used + cost
  end
end

-- Nothing is kept for longer than it can matter, and a minute.
local function save(s)
  local keep = 2 * s.size + s.hold
  if s.kind == 'token_bucket' or s.kind == 'leaky_bucket' then keep = s.used / s.calls * s.grain end
  local ms = int(math.floor(keep / 1000) + 60000)
  redis.call('HSET', s.key, 'at', int(s.at), 'used', int(s.used), 'before', int(s.before))
  redis.call('PEXPIRE', s.key, ms)
  if s.kind == 'sliding_log' then redis.call('PEXPIRE', s.log, ms) end
end

local states, fits = {}, true
for i = 1, n do
  local a, s = 1 + (i - 1) * PER, {}
  s.key, s.log, s.kind = KEYS[2 * i - 1], KEYS[2 * i], ARGV[a + 1]
  for j, name in ipairs({'size', 'grain', 'ticks', 'calls', 'cap', 'need', 'ask', 'parts', 'hold'}) do
    s[name] = tonumber(ARGV[a + 1 + j])
  end
  local had = redis.call('HMGET', s.key, 'at', 'used', 'before')
  s.at, s.used, s.before = tonumber(had[1] or 0), tonumber(had[2] or 0), tonumber(had[3] or 0)
  s.room = roll(s)
  fits = fits and s.room >= s.need
  states[i] = s
end

local answer = {fits and 1 or 0}
for _, s in ipairs(states) do
  local granted, late = 0, 0
  if fits then
    granted = math.min(s.ask, math.max(s.need, math.floor(s.room / s.parts)))
    add(s, granted)
  elseif s.room < s.need then
    late = wait(s)
  end
  if fits or s.kind == 'sliding_log' then save(s) end -- an expired entry is gone from the log
  for _, v in ipairs({granted, math.max(s.room - granted, 0), late, reset(s), s.at}) do answer[#answer + 1] = int(v) end
end
return answer
