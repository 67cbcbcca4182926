-- Decides about one call of one caller: whether it is within all of its limits. If so, counts it for each of them.
--
-- KEYS  a list for each limit; behind them, where limits were changed, the list that has the longest history.
-- ARGV  three for each limit: its calls, its span and its tick, both in microseconds.
-- Answers {which limit holds the call back longest, now, when that lets one through}; {0, now, 0} is an admitted call.
-- Times are microseconds since the epoch, by the clock of this server.
--
-- An item of a list is "AT:UPTO": calls that count from AT on, and the number of calls from the beginning of the list up to
-- them. So the calls between two items are a difference. Before the first item that still counts one is kept, from
-- which that difference is taken. AT is rounded up to a tick, so a list has no more items than its span has ticks.

local limits = #ARGV / 3
local history = KEYS[limits + 1]
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function item(list, index)
    local at, upto = string.match(redis.call('LINDEX', list, index), '^(%d+):(%d+)$')
    return tonumber(at), tonumber(upto)
end

local function written(at, upto)
    return string.format('%.0f:%.0f', at, upto)
end

-- Keeps a list until its last item, at `at`, has left `span`.
local function keep(list, at, span)
    redis.call('PEXPIRE', list, math.ceil((at + span - now) / 1000))
end

-- The first index from `low` on, and before `high`, for which `holds`, and `high` if there is none. It holds for all behind
-- one that it holds for.
local function first(low, high, holds)
    while low < high do
        local middle = math.floor((low + high) / 2)
        if holds(middle) then
            high = middle
        else
            low = middle + 1
        end
    end
    return low
end

-- A limit that is new begins with the longest history there is.
local function inherit(list, span)
    if redis.call('EXISTS', list) == 1 or redis.call('EXISTS', history) == 0 then
        return
    end
    local at = item(history, -1)
    if at + span > now then
        for _, text in ipairs(redis.call('LRANGE', history, 0, -1)) do
            redis.call('RPUSH', list, text)
        end
        keep(list, at, span)
    end
end

local logs, held_by, free_at = {}, 0, 0
for limit = 1, limits do
    local list, max, span = KEYS[limit], tonumber(ARGV[3 * limit - 2]), tonumber(ARGV[3 * limit - 1])
    if history then
        inherit(list, span)
    end
    local length = redis.call('LLEN', list)
    local log = { at = 0, upto = 0, counting = length }
    if length > 0 then
        log.at, log.upto = item(list, -1)
        log.counting = first(0, length, function(index)
            return item(list, index) + span > now
        end)
        local gone = 0
        if log.counting > 0 then
            gone = select(2, item(list, log.counting - 1))
        end
        if log.upto - gone >= max then
            local freeing = first(log.counting, length - 1, function(index)
                return log.upto - select(2, item(list, index)) < max
            end)
            local leaves = item(list, freeing) + span
            if leaves >= free_at then
                held_by, free_at = limit, leaves
            end
        end
    end
    logs[limit] = log
end

if held_by > 0 then
    return { held_by, now, free_at }
end

for limit, log in ipairs(logs) do
    local list, span, tick = KEYS[limit], tonumber(ARGV[3 * limit - 1]), tonumber(ARGV[3 * limit])
    local at = math.ceil(now / tick) * tick
    if at > log.at then
        redis.call('RPUSH', list, written(at, log.upto + 1))
    else
        -- Within the tick of the last call, or the clock was set back: no call counts from before the one in front of it.
        at = log.at
        redis.call('LSET', list, -1, written(at, log.upto + 1))
    end
    if log.counting > 1 then
        redis.call('LTRIM', list, log.counting - 1, -1)
    end
    keep(list, at, span)
end
return { 0, now, 0 }
