-- Cuts old rows off the journal, all before one that stays. Every check comes before the write.
--
-- KEYS  1 fence (string)  2 journal (stream)
-- ARGV  1 the caller's fence  2 id with which the journal begins  3 id of the first row that stays
--
-- Returns {0, count of rows cut}, {1} fenced, {2, key, type} a foreign key, {3} another beginning, or
--       the row that was to stay is not there, {4, why} XTRIM is refused (before Redis 6.2 it has no MINID)
local call, keys, argv = redis.call, KEYS, ARGV
for i, wanted in ipairs({'string', 'stream'}) do
  local kind = call('TYPE', keys[i]).ok
  if kind ~= 'none' and kind ~= wanted then return {2, keys[i], kind} end -- foreign key
end
if call('GET', keys[1]) ~= argv[1] then return {1} end -- fenced
local first = call('XRANGE', keys[2], '-', '+', 'COUNT', 1)[1]
local stays = call('XRANGE', keys[2], argv[3], argv[3])[1]
if not first or first[1] ~= argv[2] or not stays then return {3} end
local cut = redis.pcall('XTRIM', keys[2], 'MINID', '=', argv[3])
if type(cut) == 'table' then return {4, cut.err} end
return {0, cut}
