//! The opening handshake. What can panic in this program is listed in handshake.txt.
//!
//! Functions are called by their full names, by which the step `no_panic` knows that none is missing.
#![no_std]
#![no_main]

mod unknown;

use unknown::{AnyOutput, any, buffer, bytes, compare, display, see, some_text, text};
use websocket_proto::handshake::{
    self, AcceptOptions, AcceptResponse, Accepted, ClientHandshake, ClientRequest, Extension,
    FieldFault, Fields, HandshakeError, HeadError, HeaderLines, Headers, Offer, PseudoHeaders,
    Refused, Request, Resource, Response, ServerHandshake, Target, TargetError, Value,
};
use websocket_proto::{Deflate, Full, Output, SliceOutput};

#[unsafe(no_mangle)]
extern "C" fn main() -> i32 {
    errors();
    see(<Target<'_> as TryFrom<&str>>::try_from(text()));
    if let Ok(parsed) = Target::parse(text()) {
        target(&parsed);
        client(&parsed, &mut AnyOutput);
        client(&parsed, any::<&mut dyn Output>(&mut AnyOutput));
        client(&parsed, &mut SliceOutput::new(buffer()));
        opening(&parsed);
    }
    server();
    see(Request::upgrade(text(), any((1, 1)), text(), fields()).map(|parsed| request(&parsed)));
    see(Request::connect(pseudo_headers(), fields()).map(|parsed| request(&parsed)));
    see(handshake::reject(any(403), pairs(), bytes(), &mut AnyOutput));
    see(handshake::reject(any(403), pairs(), bytes(), any::<&mut dyn Output>(&mut AnyOutput)));
    0
}

fn server() {
    let mut first: ServerHandshake = any(<ServerHandshake as Default>::default());
    see(ServerHandshake::receive(&mut first, &mut buffer()).is_ok());
    let handshake = ServerHandshake::max_head(ServerHandshake::new(), any(0));
    let mut handshake: ServerHandshake<16> = any(ServerHandshake::max_headers(handshake));
    let mut input = buffer();
    while any(true) {
        match ServerHandshake::receive(&mut handshake, &mut input) {
            Ok(None) => {}
            Ok(Some(parsed)) => {
                headers(&Request::headers(&parsed));
                request(&parsed);
                let out = &mut AnyOutput;
                see(Request::accept(&parsed, &accept(), out));
                see(Request::accept(&parsed, &accept(), any::<&mut dyn Output>(out)));
            }
            Err(error) => see(HandshakeError::respond(error, &mut AnyOutput)),
        }
        see(&mut input);
    }
    see(handshake.clone());
}

fn request<'h, H: Fields<'h>>(request: &Request<'h, H>) {
    see(Request::method(request));
    resource(Request::resource(request), Request::resource(request));
    see(Request::host(request));
    see(Request::origin(request));
    see(Request::is_same_origin(request));
    see(Request::is_origin_in(request, any(&[])));
    see(Request::choose_subprotocol(request, any(&[])));
    Request::subprotocols(request).for_each(see);
    Request::extensions(request).for_each(extension);
    see(Request::headers(request));
    see(Request::header(request, text()));
    match Request::response(request, &accept()) {
        Ok(parts) => answer(&parts),
        Err(error) => see(error),
    }
    see(Request::accept(request, &accept(), &mut SliceOutput::new(buffer())));
}

fn answer(answer: &AcceptResponse<'_>) {
    see(AcceptResponse::status(answer));
    see(AcceptResponse::agreed(answer));
    AcceptResponse::headers(answer).for_each(see);
}

fn client(target: &Target<'_>, out: &mut (impl Output + ?Sized)) {
    let Ok(handshake) = ClientHandshake::start(target, &offer(), any([0; 16]), out) else { return };
    let mut first = any(handshake);
    see(ClientHandshake::receive(&mut first, &mut buffer()).is_ok());
    let handshake = ClientHandshake::max_head(first.clone(), any(0));
    let mut handshake: ClientHandshake<'_, 16> = any(ClientHandshake::max_headers(handshake));
    let mut input = buffer();
    while any(true) {
        match ClientHandshake::receive(&mut handshake, &mut input) {
            Ok(None) => {}
            Ok(Some(answer)) => response(answer),
            Err(error) => see(error),
        }
        see(&mut input);
    }
}

fn opening(target: &Target<'_>) {
    for made in [
        ClientRequest::upgrade(target, &offer(), any([0; 16])),
        ClientRequest::connect(target, &offer(), any(true)),
    ] {
        let Ok(opening) = made else { continue };
        let opening = any(ClientRequest::key(opening, any([0; 16])));
        see(ClientRequest::method(&opening));
        see(ClientRequest::protocol(&opening));
        see(ClientRequest::scheme(&opening));
        display(&ClientRequest::authority(&opening));
        resource(ClientRequest::resource(&opening), Target::resource(target));
        for (name, value) in ClientRequest::headers(&opening) {
            see(name);
            display(&value);
        }
        if let Ok(answer) = ClientRequest::validate(&opening, any(101), any((1, 1)), fields()) {
            response(answer);
        }
        see(opening.clone());
    }
}

fn response<'h, H: Fields<'h>>(response: Response<'h, H>) {
    match any(response.clone()) {
        Response::Accepted(accepted) => {
            see(Accepted::agreed(&accepted));
            see(Accepted::subprotocol(&accepted));
            Accepted::extensions(&accepted).for_each(extension);
            see(Accepted::headers(&accepted));
        }
        Response::Refused(refused) => {
            see(Refused::status(&refused));
            Refused::versions(&refused).for_each(see);
            see(Refused::headers(&refused));
        }
    }
}

fn headers(headers: &Headers<'_>) {
    see(Headers::first(headers, text()));
    let mut lines = any(Headers::iter(headers));
    while let Some(line) = <HeaderLines<'_> as Iterator>::next(&mut lines) {
        see(line);
    }
    <Headers<'_> as IntoIterator>::into_iter(*headers).for_each(see);
}

fn extension(extension: Extension<'_>) {
    see(Extension::name(&extension));
    for (name, value) in Extension::params(&extension) {
        see(name);
        if let Some(value) = value {
            Value::chars(&value).for_each(see);
            see(<Value<'_> as PartialEq<str>>::eq(&value, text()));
            see(<Value<'_> as PartialEq<&str>>::eq(&value, &text()));
            display::<Value<'_>>(&value);
        }
    }
}

fn target(target: &Target<'_>) {
    see(Target::secure(target));
    see(Target::host(target));
    display(&Target::authority(target));
    see(Target::port(target));
    see(*target == any(*target));
    display::<Target<'_>>(target);
}

fn resource(resource: Resource<'_>, other: Resource<'_>) {
    see(Resource::path(&resource));
    see(Resource::query(&resource));
    see(resource == other);
    see(<Resource<'_> as PartialEq<str>>::eq(&resource, text()));
    see(<Resource<'_> as PartialEq<&str>>::eq(&resource, &text()));
    display::<Resource<'_>>(&resource);
}

fn errors() {
    let error = any(HandshakeError::UnsupportedVersion(any(0)));
    see(HandshakeError::status(error));
    HandshakeError::headers(error).iter().for_each(see);
    see(HandshakeError::connect_status(error));
    HandshakeError::connect_headers(error).iter().for_each(see);
    see(HandshakeError::respond(error, any::<&mut dyn Output>(&mut AnyOutput)));
    compare(&error, &any(error));
    display::<HandshakeError>(&error);

    let fault = any(FieldFault::Missing);
    compare(&fault, &any(fault));
    see(HandshakeError::InvalidKey(fault));
    display::<FieldFault>(&fault);

    let error = any(<HeadError as From<Full>>::from(Full));
    compare(&error, &any(error));
    display::<HeadError>(&error);

    let error = any(TargetError::Scheme);
    compare(&error, &any(error));
    display::<TargetError>(&error);
}

fn accept() -> AcceptOptions<'static> {
    let mut accept = AcceptOptions::deflate(AcceptOptions::new(), any(Deflate::new()));
    accept = AcceptOptions::subprotocol(accept, text());
    any(AcceptOptions::headers(accept, pairs()))
}

fn offer() -> Offer<'static> {
    let mut offer = Offer::origin(Offer::new(), text());
    offer = Offer::absolute_form(offer, any(true));
    offer = Offer::subprotocols(offer, any(&[]));
    offer = Offer::deflate(offer, any(&[]));
    any(Offer::headers(offer, pairs()))
}

/// Any header lines to send.
fn pairs() -> &'static [(&'static str, &'static str)] {
    any(&[])
}

/// Any header fields, as another HTTP stack may hold them.
fn fields() -> impl Fields<'static> {
    let lines: &'static [(&str, &[u8])] = any(&[]);
    lines.iter().map(|(name, value)| (name, value))
}

fn pseudo_headers() -> PseudoHeaders<'static> {
    let mut pseudo = PseudoHeaders::protocol(PseudoHeaders::new(text()), some_text());
    pseudo = PseudoHeaders::scheme(pseudo, some_text());
    pseudo = PseudoHeaders::authority(pseudo, some_text());
    any(PseudoHeaders::path(pseudo, some_text()))
}
