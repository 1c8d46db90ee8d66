-- Takes a batch of steps: each whole (message, row, cursor, open fire) or nothing of it.
-- All checks come before the first write: a script that fails half way is not undone.
-- KEYS  1 fence (string)  2 journal (stream)  3 cursors (hash)  4 open fires (hash)
--       5... the distinct lists of the batch
-- ARGV  1 the caller's fence  2 version of the rows  3 count of names  4 count of steps
--       5... names: tasks of cursors and of rows, each once; then for each step one text, of parts with
--       a line feed between them (many arguments cost the caller more): cursor and row (places in
--       names), expected cursor, next cursor (empty: none), not before and not after (Unix ms; empty:
--       any time), the row's type, due, decided, payload, list (its place, 0: none), open key, open
--       text (it alone may hold a line feed); and, where there is a list, another argument: message
-- Returns {0, now (Unix ms), one letter a step, last id before, last id after}, {1} fenced, {2, key, type} a foreign key, {3, key}
--       a stream near its last id; letters: committed, duplicate, gap, early, stale, revision, wrong type
local call, keys, argv = redis.call, KEYS, ARGV
local types, isList, lastId = {'string', 'stream', 'hash', 'hash'}, {}, '0-0'
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
  isList[i - 4] = fits
end
if call('GET', keys[1]) ~= argv[1] then return {1} end -- fenced
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local names = {unpack(argv, 5, 4 + argv[3])}
local cursors = #names > 0 and call('HMGET', keys[3], unpack(names)) or {}
local function judge(stored, expect, next)
  if stored == next then return 'd' end
  local due, revision = stored:match('^(%-?%d+) (%S+)')
  local nextDue, nextRevision = next:match('^(%-?%d+) (%S+)')
  if not due then return 'g' end
  if revision ~= expect:match('^%-?%d+ (%S+)') and revision ~= nextRevision then return 'r' end
  return nextDue and tonumber(due) >= tonumber(nextDue) and 'd' or 'g'
end

local parts = '^' .. ('([^\n]*)\n'):rep(12) .. '(.*)$'
local answers, rows, moved, pushes, opens = {}, {}, {}, {}, {}
local at = 5 + #names
for i = 1, tonumber(argv[4]) do
  local name, row, expect, next, notBefore, notAfter, kind, due, decided, payload, list, key, text =
    argv[at]:match(parts)
  name, list = tonumber(name), tonumber(list)
  local stored, answer = cursors[name] or '', 'c'
  if stored ~= expect then answer = judge(stored, expect, next)
  elseif now < tonumber(notBefore) then answer = 'e'
  elseif now > (tonumber(notAfter) or now) then answer = 's'
  elseif list > 0 and not isList[list] then answer = 'w'
  else
    cursors[name], moved[name] = next, true
    rows[#rows + 1] = {kind, names[tonumber(row)], due, decided, payload}
    if list > 0 then
      local messages = pushes[list] or {}
      pushes[list], messages[#messages + 1] = messages, argv[at + 1]
      opens[#opens + 1], opens[#opens + 2] = key, text
    end
  end
  answers[i], at = answer, at + (list > 0 and 2 or 1)
end

-- Whichever write is first needs memory, so that all of it is refused when there is none left.
for list, messages in pairs(pushes) do call('LPUSH', keys[4 + list], unpack(messages)) end
local idBefore = lastId
for _, r in ipairs(rows) do
  lastId = call('XADD', keys[2], '*', 'v', argv[2], 't', r[1], 'k', r[2], 'd', r[3], 'm', r[4],
    'f', argv[1], 'p', r[5])
end
local kept, gone = {}, {}
for name in pairs(moved) do
  if cursors[name] == '' then gone[#gone + 1] = names[name]
  else kept[#kept + 1], kept[#kept + 2] = names[name], cursors[name] end
end
if #kept > 0 then call('HSET', keys[3], unpack(kept)) end
if #gone > 0 then call('HDEL', keys[3], unpack(gone)) end
if #opens > 0 then call('HSET', keys[4], unpack(opens)) end
return {0, now, table.concat(answers), idBefore, lastId}
