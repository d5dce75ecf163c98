-- Which of these entries (the keys of `own`) were cancelled while their worker held them: see cancel.lua. In slices,
-- because unpack fails near 8,000 values.
local function cancelled_among(prefix, own)
  local cancelled, ids, marks = {}, {}, {}
  local function look()
    for i, mark in ipairs(redis.call('MGET', unpack(marks))) do
      cancelled[ids[i]] = mark
    end
    ids, marks = {}, {}
  end
  for id in pairs(own) do
    ids[#ids + 1] = id
    marks[#marks + 1] = prefix .. 'cancelled:' .. id
    if #ids == 1000 then
      look()
    end
  end
  if #ids > 0 then
    look()
  end
  return cancelled
end
