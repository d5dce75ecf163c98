-- Redis's clock, in unix ms.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A whole number as text. `tostring` writes numbers from 10^14 on in scientific notation.
local function decimal(number)
  return string.format('%.0f', number)
end
