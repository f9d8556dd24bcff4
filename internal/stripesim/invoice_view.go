package stripesim

// embeddedLines is how many lines an invoice carries in itself.
const embeddedLines = 10

// invoiceView renders an invoice with its first lines.
func (c *call) invoiceView(i invoice) obj {
	items := c.itemsOf(i.ID)
	cus, _ := find[customer](c.tx, i.Customer)
	data := []any{}
	for _, it := range items[:min(len(items), embeddedLines)] {
		data = append(data, c.view.line(it))
	}
	lines := listOf("/v1/invoices/"+i.ID+"/lines", data, len(items) > embeddedLines)
	out := c.view.invoice(i, cus)
	out["lines"] = lines
	return out
}

func (v viewer) invoice(i invoice, cus customer) obj {
	out := obj{
		"id": i.ID, "object": "invoice", "created": i.Created, "livemode": false,
		"account_country": "US", "account_name": "Simulated account", "account_tax_ids": nil,
		"amount_due": i.due(), "amount_paid": i.AmountPaid, "amount_remaining": i.remaining(),
		"amount_shipping": 0, "application": nil, "attempt_count": i.Attempts, "attempted": i.Attempts > 0,
		"auto_advance": i.AutoAdvance, "automatic_tax": obj{"enabled": false, "liability": nil, "status": nil},
		"billing_reason": "manual", "collection_method": i.CollectionMethod, "currency": i.Currency,
		"custom_fields": nil, "customer": i.Customer, "customer_address": nil,
		"customer_email": orNull(cus.Email), "customer_name": orNull(cus.Name), "customer_phone": nil,
		"customer_shipping": nil, "customer_tax_exempt": "none", "customer_tax_ids": []any{},
		"default_payment_method": orNull(i.DefaultMethod), "default_source": nil, "default_tax_rates": []any{},
		"description": orNull(i.Description), "discounts": []any{}, "due_date": unix(i.DueDate),
		"effective_at": unix(i.FinalizedAt), "ending_balance": nil, "footer": orNull(i.Footer),
		"from_invoice": nil, "hosted_invoice_url": nil, "invoice_pdf": nil,
		"issuer": obj{"type": "self"}, "last_finalization_error": nil, "latest_revision": nil,
		"metadata": i.Metadata, "next_payment_attempt": nil, "number": orNull(i.Number), "on_behalf_of": nil,
		"payment_settings": obj{"default_mandate": nil, "payment_method_options": nil, "payment_method_types": nil},
		"period_start":     i.Created, "period_end": i.Created,
		"post_payment_credit_notes_amount": i.PostCredits, "pre_payment_credit_notes_amount": i.PreCredits,
		"receipt_number": nil, "rendering": nil, "shipping_cost": nil, "shipping_details": nil,
		"starting_balance": i.StartingBalance, "statement_descriptor": nil, "status": i.Status,
		"status_transitions": obj{
			"finalized_at": unix(i.FinalizedAt), "marked_uncollectible_at": unix(i.WrittenOffAt),
			"paid_at": unix(i.PaidAt), "voided_at": unix(i.VoidedAt),
		},
		"subtotal": i.Subtotal, "subtotal_excluding_tax": i.Subtotal, "test_clock": nil,
		"total": i.Subtotal, "total_excluding_tax": i.Subtotal, "total_discount_amounts": []any{},
		"webhooks_delivered_at": nil,
	}
	if i.Status != "draft" {
		out["ending_balance"] = i.EndingBalance
		out["hosted_invoice_url"] = v.public + "/invoices/" + i.ID
		out["invoice_pdf"] = v.public + "/invoices/" + i.ID + "/pdf"
	}
	v.invoiceByVersion(out, i)
	return out
}

// invoiceByVersion adds the members that only one of the two generations has.
func (v viewer) invoiceByVersion(out obj, i invoice) {
	if v.modern {
		out["amount_overpaid"] = 0
		out["amount_paid_off_stripe"] = 0
		out["parent"] = nil
		out["total_taxes"] = []any{}
		return
	}
	out["application_fee_amount"] = nil
	out["charge"] = orNull(i.Charge)
	out["discount"] = nil
	out["paid"] = i.Status == "paid"
	out["paid_out_of_band"] = i.OutOfBand
	out["payment_intent"] = orNull(i.PaymentIntent)
	out["quote"] = nil
	out["subscription"] = nil
	out["subscription_details"] = obj{"metadata": nil}
	out["tax"] = nil
	out["total_tax_amounts"] = []any{}
	out["transfer_data"] = nil
}
