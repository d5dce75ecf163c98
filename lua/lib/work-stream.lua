-- Adds an entry to the work stream. `call`: redis.call, or redis.pcall if the caller handles the error. `d`: the msgpack
-- Job. `name`: the dispatch name, '' = none. `keep`: for how many ms the job's id stays taken after the job has ended; nil
-- if the id is not the caller's.
local function add_entry(call, stream, d, name, keep)
  if name == '' then
    if keep then
      return call('XADD', stream, '*', 'd', d, 'u', keep)
    end
    return call('XADD', stream, '*', 'd', d)
  elseif keep then
    return call('XADD', stream, '*', 'd', d, 'n', name, 'u', keep)
  end
  return call('XADD', stream, '*', 'd', d, 'n', name)
end
