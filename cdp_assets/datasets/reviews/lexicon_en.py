"""What VADER's lexicon lacks for shopping: slow, crushed, runs small, waste of money, and the like.

Belongs here: additions and corrections to VADER, on its scale of -4 to 4, and common English words by which the
language is known. Does not belong here: VADER's own words, which come from its package.
"""

from __future__ import annotations

WORDS: dict[float, str] = {
    2.4: """
        flawless, superb, exceeded, exceptional, fabulous, top-notch
    """,
    1.8: """
        fast, quick, quickly, promptly, speedy, durable, sturdy, well-made, recommended, gorgeous, comfy, snug,
        soft, affordable, bargain, reliable, responsive, attentive, authentic, genuine, intact, cosy, cozy,
        spacious, lightweight, crisp, efficient, carefully
    """,
    0.9: """
        as_described, as_expected, as_advertised, as_pictured, true_to_size, on_time, fits_well, works_well,
        decent
    """,
    0.2: """
        okay, ok, average, so-so, mediocre, acceptable, passable, ordinary, standard, fine
    """,
    -1.2: """
        slow, slower, thin, tight, loose, pricey, overpriced, expensive, noisy, itchy, scratchy, stiff, bulky,
        faded, wrinkled, smelly, runs_small, runs_large, runs_big, too_small, too_big, too_large, too_short,
        too_long, too_tight, too_thin, too_expensive, too_heavy, smaller_than, not_like_the_picture,
        not_as_described, not_as_pictured, not_as_advertised, not_what_i_ordered, different_from, stain,
        stained, creased, blurry, wobbly, cheaply, scratched
    """,
    -2.0: """
        late, delayed, crushed, dented, ripped, torn, cracked, leaking, leaked, shattered, defective,
        malfunctioned, flimsy, refund, returned, returning, rude, unhelpful, unresponsive, misleading,
        counterfeit, knockoff, fell_apart, falling_apart, stopped_working, does_not_work, doesnt_work,
        did_not_work, didnt_work, not_working, never_arrived, did_not_arrive, not_worth, wrong_size, wrong_item,
        wrong_colour, wrong_color, nobody_answers, no_answer, no_reply, no_response, never_answered,
        never_replied, never_responded, peeled, peeling, smells_bad, looks_cheap, feels_cheap
    """,
    -2.8: """
        never_again, waste_of_money, total_waste, rip-off, ripoff, scam, scammed, garbage, junk, stay_away,
        avoid, do_not_buy, dont_buy, would_not_recommend, wouldnt_recommend, not_recommend, far_too_slow,
        worthless, unacceptable
    """,
}
"""Strength -> words; phrases are written with underscores."""

COMMON = """
    the a an and or of to in on at for with from by as is are was were be been being it its this that these
    those i me my we our you your he she they them their his her not no yes do does did done have has had will
    would can could should may might must so but if then than when where what which who how why all any some
    more most much many very really too also just only even still again ever never always after before because
    about into over out up down off here there one two first last next new old good great nice love loved like
    liked best better bad worse worst poor perfect happy product item items order ordered quality price value
    money delivery delivered shipping shipped arrived package packaging packed packing box service staff seller
    store customer support color colour size fit fits small large big material fabric cotton leather shirt dress
    shoes bag phone battery screen work works worked working use used using buy bought buying purchase purchased
    recommend return refund came come comes get got gets make made makes look looks looked feel feels felt time
    day days week weeks month months year fast slow quick quickly cheap expensive easy description picture
    pictures described expected little bit okay average wrong broken thing things way well enough answers
    messages please back everything nothing anything something someone nobody everyone thank thanks wear wearing
    friendly helpful careful carefully disappointed disappointing excellent amazing awesome beautiful
    comfortable soft
"""
"""Words by which English is known, beside those of VADER's lexicon."""
