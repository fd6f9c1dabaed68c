# 发给驾驶人的消息。$ 之后的名称会被替换；每种语言的消息和名称都相同。

unnamed-place = 停车场
unnamed-pass = 月卡
unnamed-device = 未命名的设备

# 附在每条扣款消息之后。
deduction = { $at } 由{ $provider }扣款。如非本人操作，请打开应用终止授权并对账单提出异议。

session-entered =
    .title = 已驶入{ $place }
    .body = 您的车辆于{ $time }入场，可在应用内查看实时账单。

bill-due =
    .title = 待支付 { $amount }
    .body = 请支付在{ $place }的停车费，支付后道闸将自动开启。

bill-owed =
    .title = 待付 { $amount }
    .body = 您在{ $place }的停车费为离场后支付，可随时在应用中支付。

collection-failed =
    .title = 扣款失败
    .body = { $place }的 { $amount } 未能扣款。我们会再次尝试，您也可以在应用中支付。

collection-ended =
    .title = 仍欠 { $amount }
    .body = { $place }的停车费未能扣款。请在应用中支付；在此之前须付款后方可出场。

payment-charged =
    .title = 已支付 { $amount }
    .body = 您在{ $place }的停车费已支付。

payment-refused =
    .title = 扣款失败
    .body = { $place }的停车费 { $amount } 未能扣款，请在出口或应用内支付。

gate-opened-entry =
    .title = 道闸已开启
    .body = 欢迎光临{ $place }，请驶入。

gate-opened-exit =
    .title = 道闸已开启
    .body = 感谢光临{ $place }，祝您一路平安。

payment-refunded =
    .title = 已退款 { $amount }
    .body = 您在{ $place }的停车费退款将原路退回付款账户。

pass-refunded =
    .title = 已退款 { $amount }
    .body = 您的月卡退款将原路退回付款账户。

bill-corrected =
    .title = 账单已更正 { $amount }
    .body = 您在{ $place }的停车费由 { $before } 更正为 { $amount }，多付部分将退还。

payment-charged-back =
    .title = 银行已撤回 { $amount }
    .body = { $place }的付款已被银行撤回。请打开应用查看重新欠下的费用。

chargeback-reversed =
    .title = { $amount } 已恢复支付
    .body = 银行已退还{ $place }的付款，您无需再支付。

pass-charged-back =
    .title = 银行已撤回 { $amount }
    .body = 您的月卡付款已被银行撤回，需要重新支付。

dispute-refunded =
    .title = 本次停车免费
    .body = { $place }的影像无法证明该车辆属于您，已扣款项将原路退回。

dispute-accepted =
    .title = 您的账单申诉已通过
    .body = { $place }的账单已更正，请在应用内查看原因。

dispute-rejected =
    .title = 您的账单申诉未通过
    .body = { $place }的账单维持不变，请在应用内查看原因。

invoice-issued =
    .title = 发票已开具
    .body = { $place }为您开具的发票 { $number }（{ $amount }）可在应用内查看和下载。

credit-note-issued =
    .title = 发票已冲红
    .body = { $place }已就 { $amount } 开具红字发票 { $number }，可在应用内查看。

pass-purchased =
    .title = 月卡已生效
    .body = { $name }：已支付 { $amount }，有效期至{ $day }。

pass-purchase-failed =
    .title = 月卡支付失败
    .body = { $name }未能扣款，尚未生效，请在应用内重试。

pass-renewal-upcoming =
    .title = 月卡即将续费
    .body = { $name }有效期至{ $day }，之后将自动续费 { $amount }，您可在应用内关闭。

pass-renewed =
    .title = 月卡已续费
    .body = { $name }：已支付 { $amount }，有效期延至{ $day }。

pass-renewal-failed =
    .title = 月卡续费失败
    .body = { $name }的续费 { $amount } 未能扣款。有效期保留至{ $day }，期间我们会再次尝试，请检查您的支付方式。

pass-lapsed =
    .title = 月卡已失效
    .body = { $name }已失效，此后停车将按普通价格计费。

pass-cancelled =
    .title = 月卡已取消
    .body = { $name }有效期至{ $day }。

pass-charged =
    .title = 已支付 { $amount }
    .body = { $name }在失效后被扣款，款项将退回。

plate-bound =
    .title = 车牌已绑定到您的账户
    .body = 从现在起道闸会识别该车牌。如非本人操作，请在应用中解绑，并结束其他登录。

plate-taken-off =
    .title = 一个车牌已从您的账户移除
    .body = 经核验，道闸不再将该车牌归于您，您为它开通的扣款也已终止。

plate-claim-refused =
    .title = 车牌未能绑定
    .body = 工作人员未能确认该车牌。{ $refusal ->
        [unreadable] 图片无法辨认。
        [other_plate] 图片上是另一个车牌。
        [name_differs] 证件上的姓名与您不符。
        [licence_ended] 该证件已失效。
       *[other] 请咨询工作人员。
    }

plate-payment-paused =
    .title = 请暂时手动付款
    .body = 我们正在核验您的一个车牌。核验期间不会为它自动扣款，请在道闸处付款。

plate-payment-resumed =
    .title = 自动扣款已恢复
    .body = 车牌核验已完成，道闸将照常扣款。

signed-in =
    .title = 您的账户有新的登录
    .body = “{ $device }”已登录，时间 { $at }（UTC）。如非本人操作，请在应用中结束该登录及其他所有登录。

# What an operator's campaign says, in words that were written for it.
campaign =
    .title = { $title }
    .body = { $body }

space-offered =
    .title = { $place }为您留了一个车位
    .body = { $start }起可用。请在{ $until }前在应用中接受。

reservation-upcoming =
    .title = { $place }的车位已备好
    .body = 预约自{ $start }开始，为您保留至{ $until }。闸机识别您的车牌后自动放行。

reservation-missed =
    .title = 您的预约已结束
    .body = { $place }的车位已保留至{ $until }，现已释放给他人。

reservation-overstayed =
    .title = 预约时间已过
    .body = 您在{ $place }的车位预约至{ $until }。此后按普通价格继续计费。

reservation-failed =
    .title = { $place }没有空位
    .body = { $found ->
        [yes] 非常抱歉：为您保留的车位已被占用。{ $other }现有空位。
       *[no] 非常抱歉：为您保留的车位已被占用，该运营商的其他停车场目前也没有空位。
    }
