{#- Written by `python -m cdp_assets.vocabulary.macros` from cdp_assets/vocabulary: change the tables there. -#}


{#- A source's word for the state of an order, in ours. Money given back counts as cancelled: it is no revenue. Other
    words are unknown, never guessed at. -#}
{% macro order_status(value) -%}
    (
        select
            case
                when w.word in (
                    'addingitems', 'arrangingpayment', 'autodraft', 'awaiting', 'awaitingapproval',
                    'awaitingbankwirepayment', 'awaitingcashondeliveryvalidation', 'awaitingcheckpayment',
                    'awaitingconfirmation', 'awaitingpayment', 'awaitingpaypalpayment', 'backorder', 'cart',
                    'checkoutdraft', 'choduyet', 'chothanhtoan', 'choxacnhan', 'choxuly', 'chuathanhtoan',
                    'chuaxacnhan', 'chuaxuly', 'created', 'dadathang', 'dattruoc', 'disputed', 'donhangmoi', 'donmoi',
                    'draft', 'fraud', 'hold', 'holded', 'incancel', 'incomplete', 'invoicesent',
                    'manualverificationrequired', 'moi', 'moitao', 'new', 'notfulfilled', 'notpaid', 'onbackorder',
                    'onbackordernotpaid', 'onhold', 'open', 'opened', 'orderplaced', 'orderreceived', 'paidpartially',
                    'partiallypaid', 'partialpayment', 'payeractionrequired', 'paymentpending', 'paymentreview',
                    'pending', 'pendingpayment', 'pendingpaypal', 'phieutam', 'placed', 'reminded', 'requiresaction',
                    'requiresconfirmation', 'requirespaymentmethod', 'saved', 'submitted', 'suspectedfraud', 'tamgiu',
                    'thanhtoanmotphan', 'unconfirmed', 'unfulfilled', 'unpaid', 'waiting', 'waitingforpayment',
                    'wcautodraft', 'wccheckoutdraft', 'wcdraft', 'wconhold', 'wcpending'
                ) then 'pending'
                when w.word in (
                    'accepted', 'approved', 'arrangingadditionalpayment', 'authorised', 'authorized',
                    'authorizedtobecapturedbymerchant', 'awaitingcollection', 'awaitingfulfillment', 'awaitingpickup',
                    'awaitingshipment', 'beingprocessed', 'canceledreversal', 'chodonggoi', 'chogiaohang',
                    'cholayhang', 'chovanchuyen', 'confirmed', 'dadonggoi', 'daduyet', 'dangchuanbihang',
                    'dangdonggoi', 'dangthuchien', 'dangxuly', 'datiepnhan', 'daxacnhan', 'inpreparation', 'inprocess',
                    'inprogress', 'invoiced', 'modifying', 'onbackorderpaid', 'packed', 'packing',
                    'partiallyfulfilled', 'paymentaccepted', 'paymentauthorized', 'paymentreceived', 'paymentsettled',
                    'paypalcanceledreversal', 'picked', 'picking', 'preparing', 'processed', 'processing',
                    'processinginprogress', 'readyforpickup', 'readytoship', 'remotepaymentaccepted', 'repacked',
                    'topack', 'toship', 'unshipped', 'wcprocessing'
                ) then 'processing'
                when w.word in (
                    'daguihang', 'dangchuyenhang', 'danggiao', 'danggiaohang', 'dangvanchuyen', 'daxuatkho',
                    'delivering', 'dispatched', 'giaohangmotphan', 'indelivery', 'intransit', 'outfordelivery',
                    'partiallydelivered', 'partiallyshipped', 'partiallyshipping', 'sent', 'shipped',
                    'shippedpartially', 'shipping', 'toconfirmreceive'
                ) then 'shipped'
                when w.word in (
                    'captured', 'collected', 'complete', 'completed', 'dagiao', 'dagiaohang', 'dahoantat',
                    'dahoanthanh', 'danhan', 'danhanhang', 'dathanhtoan', 'delivered', 'done', 'finished', 'fulfilled',
                    'giaohangthanhcong', 'giaothanhcong', 'hoantat', 'hoanthanh', 'hoantienmotphan', 'paid',
                    'partiallyrefunded', 'partiallyreturned', 'partialrefund', 'paymentcomplete', 'paymentcompleted',
                    'paymentsucceeded', 'paymentsuccess', 'paymentsuccessful', 'pickedup', 'received',
                    'refundedpartially', 'returnedpartially', 'succeeded', 'success', 'successful', 'thanhcong',
                    'thanhtoanthanhcong', 'wccompleted'
                ) then 'completed'
                when w.word in (
                    'abandoned', 'aborted', 'awaitingreturn', 'bihuy', 'cancel', 'canceled', 'cancelled', 'chargeback',
                    'chargedback', 'chohoantien', 'chuyenhoan', 'closed', 'dachuyenhoan', 'dahoanhang', 'dahoantien',
                    'dahoantra', 'dahuy', 'dahuydon', 'danghoantien', 'datrahang', 'declined', 'deleted', 'denied',
                    'donhuy', 'error', 'expired', 'fail', 'failed', 'failure', 'giaohangthatbai', 'giaokhongthanhcong',
                    'giaothatbai', 'hethan', 'hoanhang', 'hoantien', 'hoantra', 'huy', 'huydon', 'khachhuy',
                    'khongthanhcong', 'lost', 'paymentdeclined', 'paymenterror', 'paymentfailed', 'paypalreversed',
                    'refund', 'refunded', 'refundinprogress', 'rejected', 'restocked', 'return', 'returned',
                    'reversal', 'reversed', 'thanhtoanthatbai', 'thatbai', 'toreturn', 'trahang', 'trahanghoantien',
                    'trash', 'tuchoi', 'unfulfillable', 'void', 'voided', 'wccancelled', 'wcfailed', 'wcrefunded',
                    'wctrash'
                ) then 'cancelled'
                else 'unknown'
            end
        from (
            select
                case
                    when {{ value }} !~ '[^a-z0-9]' then {{ value }}
                    else lower(
                        regexp_replace(
                            translate(normalize({{ value }}, nfkd), 'ĐđÐðƉɖ', 'dddddd'),
                            '[\u0001-\u0020\u0022\u0027-\u0029\u002c-\u002f\u003a\u003b\u005b\u005d\u005f\u0060\u007f-\u00a0\u00ad\u0300-\u036f\u115f\u1160\u180e\u200b-\u200f\u2010-\u2015\u2028-\u202e\u2060-\u206f\u2212\ufe00-\ufe0f\ufeff]+',
                            '', 'g'
                        ) collate "C"
                    )
                end as word
            offset 0
        ) as w
    )
{%- endmacro %}


{#- The states of an order: name, whether it is open, whether it is revenue, place in an order's life. -#}
{% macro order_statuses() -%}
    values
    ('pending', 'Pending', true, false, 1),
    ('processing', 'Processing', true, true, 2),
    ('shipped', 'Shipped', true, true, 3),
    ('completed', 'Completed', false, true, 4),
    ('cancelled', 'Cancelled', false, false, 5),
    ('unknown', 'Unknown', false, false, 6)
{%- endmacro %}
