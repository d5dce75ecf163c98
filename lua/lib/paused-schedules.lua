-- A paused schedule stands at the last time that a Date can have. No slot is there, so schedulers leave it alone, also those
-- of older versions, which do not know pauses. Its hash says since when it is paused (`paused`, unix ms) and which slot was
-- next then (`slot`).
local PAUSED = '8640000000000000'

local function is_paused(score)
  return score ~= false and score ~= nil and tonumber(score) >= tonumber(PAUSED)
end
