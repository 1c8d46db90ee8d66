-- Which messages workers hold, and whether they hold them for the first time. A value is a whole
-- message, so it is looked through here and not sent.
--
-- KEYS  1 unacked (hash)
-- ARGV  delivery tags
--
-- Returns one letter for each tag: n none, f first, a again (it was given back before)
local letters = {}
for i = 1, #ARGV do
  local value = redis.call('HGET', KEYS[1], ARGV[i])
  if not value then
    letters[i] = 'n'
  elseif value:find('"redelivered": true', 1, true) or value:find('"redelivered":true', 1, true) then
    letters[i] = 'a'
  else
    letters[i] = 'f'
  end
end
return table.concat(letters)
