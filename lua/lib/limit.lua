-- The number of a limit, or of a time, that a hash says: whole, from 1. nil if it says none. Somebody else may have written it: what is
-- no number is no limit, and read-policy.lua tells the workers.
local function limit_of(text)
  local number = text and string.match(text, '^[1-9]%d*$') and tonumber(text)
  return number and number <= 1e15 and number or nil
end
