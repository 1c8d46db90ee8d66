-- Finds out which commands of commit.lua and settle.lua this user may not call, before one of them
-- fails between two writes. Each is tried on a key of another type, so that none can write.
--
-- KEYS  1 fence (string)
-- Returns the names of the commands that are refused or unknown, with a space between
local refused = {}
local function try(command, ...)
  local reply = redis.pcall(command, KEYS[1], ...)
  local message = type(reply) == 'table' and reply.err or ''
  if message:find("can't run") or message:find('NOPERM') or message:find('[Uu]nknown') then
    refused[#refused + 1] = command
  end
end
if redis.call('TYPE', KEYS[1]).ok == 'string' then
  try('LPUSH', 'x')
  try('XADD', '*', 'x', 'x')
  try('HSET', 'x', 'x')
  try('HDEL', 'x')
  try('LREM', -1, 'x')
end
return table.concat(refused, ' ')
