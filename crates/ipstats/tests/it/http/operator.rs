//! Bodies posted to the operator's socket that are not part of a copy.

use super::*;
use ipstats::http::operator_router;
use ipstats::sources::Board;

#[tokio::test]
async fn garbage_has_its_own_error_code() {
    let app = TestApp::new();
    for body in ["garbage", "", "{}"] {
        let request = Request::post("/pieces").body(Body::from(body)).unwrap();
        let response = operator_router(&app.app, Board::default()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let answer = Answer { status: parts.status, headers: parts.headers, text };
        assert_eq!(answer.error(), (400, "InvalidCopyFrame".to_owned()));
        assert!(answer.message().contains("ipstats copy"), "{}", answer.message());
    }
}
