-- @include lib/envelope

-- The jobs that a caller asks for, as lib/redis/scripts/lib/job-filter.ts writes it. ARGV from `at`: '' for any name, else '='
-- and the name; how many texts, and these; how many job ids, and these; none = any. Returns a function that says whether a job
-- is one of them: its name, its msgpack Job ('' = none), and more strings in which a text may be.
local function read_filter(at)
  local name = ARGV[at] ~= '' and string.sub(ARGV[at], 2)
  local texts, ids = {}, nil
  for i = at + 2, at + 1 + ARGV[at + 1] do
    texts[#texts + 1] = ARGV[i]
  end
  at = at + 2 + #texts
  for i = at + 1, at + ARGV[at] do
    ids = ids or {}
    ids[ARGV[i]] = true
  end
  local function has(text, ...)
    for i = 1, select('#', ...) do
      if string.find(select(i, ...), text, 1, true) then
        return true
      end
    end
  end
  return function(of, d, ...)
    if name and of ~= name or ids and not ids[job_id_of(d) or false] then
      return false
    end
    for i = 1, #texts do
      if not has(texts[i], d, ...) then
        return false
      end
    end
    return true
  end
end
