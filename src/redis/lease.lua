-- Takes, renews or releases the lease: one leader at a time, for a bounded time.
-- The fence grows with each taking, is at least the time then, and never expires; the lease does.
--
-- KEYS  1 lease (string "owner fence")  2 fence (string)
--       3 epoch (string "id", or "id vN" where a later build asks for leaders that write rows of version N)
-- ARGV  1 take, renew or release  2 owner  3 time to live (ms; release: 0)
--       4 take: the highest fence that the caller has seen; renew: the caller's fence; release: empty
--       5 take: the id for a namespace without an epoch; else: empty
--       6 take: the version of the rows that the caller writes  7 take: the longest that a lease can last (ms)
--
-- take     {0, now (Unix ms), fence, epoch, 1 where the epoch is new} taken,
--          {1, owner, fence, ms left} held by another, {3, version} the caller is too old to lead
-- renew    {0, now} or {1} no longer ours
-- release  {0} given up or {1} not ours
-- any      {2, key, type} a foreign key
local call = redis.call
for i = 1, 3 do
  local kind = call('TYPE', KEYS[i]).ok
  if kind ~= 'none' and kind ~= 'string' then return {2, KEYS[i], kind} end -- foreign key
end
local verb, owner, ttl, known = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local held = call('GET', KEYS[1])
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if verb == 'renew' then
  if held ~= owner .. ' ' .. ARGV[4] then return {1} end -- not ours
  call('PEXPIRE', KEYS[1], ttl)
  return {0, now} -- renewed
end

local heldBy, heldFence
if held then heldBy, heldFence = held:match('^(.*) (%d+)$') end
if verb == 'release' then
  if heldBy ~= owner then return {1} end -- not ours
  call('DEL', KEYS[1])
  return {0} -- given up
end

local stored = call('GET', KEYS[3]) or ''
local epoch, asked = stored:match('^(.*) v(%d+)$')
if asked and tonumber(asked) > tonumber(ARGV[6]) then return {3, tonumber(asked)} end -- too old
epoch = epoch or stored

if held and heldBy ~= owner then
  local left = call('PTTL', KEYS[1])
  -- Somebody took its end away, and nobody would ever lead again; or, as an end is a point in time, the
  -- clock was set back, and nobody would until it gets there.
  if left < 0 or left > tonumber(ARGV[7]) then
    call('PEXPIRE', KEYS[1], ttl)
    left = ttl
  end
  return {1, heldBy or held, tonumber(heldFence) or 0, left} -- held by another
end
-- Our own lease above every fence that we have seen: the reply that granted it was lost.
local current = tonumber(call('GET', KEYS[2]) or 0) or 0
local isRepeated = held and tonumber(heldFence) > known and tonumber(heldFence) >= current
-- Not below the time: a fence that was given in a history that is lost since (a failover, a cut file)
-- is not given again, whoever remembers it.
local fence = isRepeated and heldFence or string.format('%.0f', math.max(current, known, now - 1) + 1)
-- The first write needs memory, so that all of it is refused when there is none left.
call('SET', KEYS[2], fence)
call('SET', KEYS[1], owner .. ' ' .. fence, 'PX', ttl)
local isNew = epoch == '' or (isRepeated and epoch == ARGV[5])
if epoch == '' then
  epoch = ARGV[5]
  call('SET', KEYS[3], epoch)
end
return {0, now, tonumber(fence), epoch, isNew and 1 or 0} -- taken
