-- Records what became of open fires: each settlement whole (message out, rows, text) or nothing.
-- All checks that can refuse the call come before the first write; see commit.lua.
--
-- KEYS  1 fence (string)  2 journal (stream)  3 open fires (hash)
--       4... the distinct lists to remove from
-- ARGV  1 the caller's fence  2 version of the rows  3 count of settlements
--       4... for each list, how many elements of its old end are looked through for what is removed: a
--       worker may be quicker, and LREM would go through all of the list for what is not there
--       then the open key of each settlement; then for each settlement:
--       expected text, next text (empty: close), list (its place, 0: none),
--       element to remove, count of rows,
--       and for each row: type, task, due, decided, payload
--
-- Returns {0, now (Unix ms), one letter a settlement, last id before, last id after}, {1} fenced,
--       {2, key, type} a foreign key, {3, key} a stream near its last id; a letter is s settled, d duplicate, r raced,
--       w wrong type of list
local call, keys, argv = redis.call, KEYS, ARGV
local types, isList, lastId = {'string', 'stream', 'hash'}, {}, '0-0'
for i = 1, #keys do
  local kind = call('TYPE', keys[i]).ok
  local fits = kind == 'none' or kind == (types[i] or 'list')
  if types[i] and not fits then return {2, keys[i], kind} end -- foreign key
  if i == 2 and kind == 'stream' then
    local info = call('XINFO', 'STREAM', keys[2])
    for k = 1, #info, 2 do if info[k] == 'last-generated-id' then lastId = info[k + 1] end end
    -- An id beyond any clock: XADD might refuse in the middle.
    if lastId:find('^%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d') then return {3, keys[2]} end
  end
  isList[i - 3] = fits
end
if call('GET', keys[1]) ~= argv[1] then return {1} end -- fenced
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local oldEnds = {}
for i = 4, #keys do
  local oldEnd = {}
  local elements = isList[i - 3] and call('LRANGE', keys[i], -argv[i], -1) or {}
  for _, element in ipairs(elements) do oldEnd[element] = true end
  oldEnds[i - 3] = oldEnd
end

local count, before = tonumber(argv[3]), #keys
local stored = count > 0 and call('HMGET', keys[3], unpack(argv, before + 1, before + count)) or {}
local texts = {}
for i = 1, count do texts[argv[before + i]] = stored[i] end

local answers, changed, idBefore = {}, {}, lastId
local at = before + 1 + count
for i = 1, count do
  local key, list, last = argv[before + i], tonumber(argv[at + 2]), at + 5 + 5 * argv[at + 4]
  local answer = 's'
  if texts[key] ~= argv[at] then answer = 'd'
  elseif list > 0 and not isList[list] then answer = 'w'
  -- From the tail: an expired message is among the oldest.
  elseif list > 0 and (not oldEnds[list][argv[at + 3]] or
    call('LREM', keys[3 + list], -1, argv[at + 3]) == 0) then answer = 'r'
  else
    for r = at + 5, last - 1, 5 do
      lastId = call('XADD', keys[2], '*', 'v', argv[2], 't', argv[r], 'k', argv[r + 1],
        'd', argv[r + 2], 'm', argv[r + 3], 'f', argv[1], 'p', argv[r + 4])
    end
    texts[key], changed[key] = argv[at + 1], true
  end
  answers[i] = answer
  at = last
end

for key in pairs(changed) do
  if texts[key] == '' then call('HDEL', keys[3], key) else call('HSET', keys[3], key, texts[key]) end
end
return {0, now, table.concat(answers), idBefore, lastId}
